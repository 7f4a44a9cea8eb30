package polymath

import (
	"strings"
	"testing"
	"unicode"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "night shift", "büro-7", "日本", strings.Repeat("x", MaxNameBytes), "a/b:c.d_e", "🙂"} {
		if err := CheckName("queue", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for name, part := range map[string]string{
		"":                                  "0 bytes",
		strings.Repeat("x", MaxNameBytes+1): "65 bytes",
		"a\x1b[31m":                         `"a\x1b[31m"`,
		"a\nb":                              `"a\nb"`,
		"a\tb":                              "print",
		"\x7f":                              "print",
		"\u009b31m":                         "print", // a control character beyond ASCII
		"\u202eabc":                         "print", // turns the line around
		"a\u2028b":                          "print",
		"\xff":                              `"\xff"`,
		"a\x00":                             "print",
	} {
		err := CheckName("queue", name)
		if CodeOf(err) != InvalidArgument || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "queue") {
			t.Errorf("%q: %v, want %q", name, err, part)
			continue
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: its refusal does not print: %q", name, err)
		}
	}
}
