package connector

import "strings"

// glob is a pattern cut at its wildcards: each part must occur in order, the first at the start, the last at the end.
type glob []string

// newGlob reads every "*" as a wildcard.
func newGlob(s string) glob { return strings.Split(asciiLower(s), "*") }

// matches compares without regard to ASCII case. Finding each part as early as possible is enough, since the wildcards
// between the parts take anything; so the work is linear in the text for each part.
func (g glob) matches(text string) bool {
	text = asciiLower(text)
	if len(g) == 1 {
		return text == g[0]
	}
	first, last := g[0], g[len(g)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range g[1 : len(g)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
