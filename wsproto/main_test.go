package wsproto_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// TestMain fails if a test leaves goroutines of this package behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines were left behind:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leaked returns the stacks of goroutines that run code of this package or its WebSocket library, after some patience.
func leaked() string {
	var left string
	for range 100 {
		var text strings.Builder
		pprof.Lookup("goroutine").WriteTo(&text, 2)
		left = ""
		for stack := range strings.SplitSeq(text.String(), "\n\n") {
			if strings.Contains(stack, "TestMain") {
				continue
			}
			if strings.Contains(stack, "adcskit/wsproto.") || strings.Contains(stack, "coder/websocket") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
		runtime.Gosched()
		time.Sleep(20 * time.Millisecond) // not a test's wait: only for what is about to end
	}
	return left
}
