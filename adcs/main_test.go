package adcs_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/adcskit/adcskit/internal/adtest"
)

// TestMain fails the run if a goroutine of this project outlives it. Integration tests have a domain.
func TestMain(m *testing.M) { os.Exit(adtest.Run(func() int { return runTests(m) })) }

func runTests(m *testing.M) int {
	code := m.Run()
	if left := leftGoroutines(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines are left:\n%s\n", left)
		code = 1
	}
	return code
}

// leftGoroutines returns the stacks of goroutines that run code of this project, those of tests aside, once they have
// had time to end.
func leftGoroutines() string {
	var left []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		left = nil
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		for _, stack := range strings.Split(string(buf), "\n\n") {
			ours := strings.Contains(stack, "github.com/adcskit/adcskit")
			tests := strings.Contains(stack, "TestMain") || strings.Contains(stack, "testing.tRunner(") ||
				strings.Contains(stack, "internal/adtest.") // the domain ends last
			if ours && !tests {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return ""
		}
	}
	return strings.Join(left, "\n\n")
}
