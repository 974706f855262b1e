package cli

import (
	"regexp"
	"runtime"
	"strings"
)

// Quoted makes one word of s for the shell that people use on this system. More may be written directly behind it.
func Quoted(s string) string {
	switch {
	case regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`).MatchString(s):
		return s
	case runtime.GOOS == "windows":
		return `"` + s + `"` // a double quote is not allowed in the names of files, hosts and accounts there
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
