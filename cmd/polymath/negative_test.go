package main

import (
	"slices"
	"strings"
	"testing"
)

func TestShieldNegatives(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"none", "run add 2 5 --output json", "run add 2 5 --output json"},
		{"last", "run add 2 -5", "run add -- 2 -5"},
		{"first", "run add -2 5", "run add -- -2 5"},
		{"a fraction", "run add 1 -.5", "run add -- 1 -.5"},
		{"flags between", "run add -2 --workers 3 -5 --output=json", "run add --workers 3 --output=json -- -2 -5"},
		{"the value of a flag", "run add --a -2 --b -5", "run add --a -2 --b -5 --"},
		{"flags before the function", "--data d run --workers 2 add 1 -5", "run add --data d --workers 2 -- 1 -5"},
		{"a flag without value", "run add --new -5 2", "run add --new -- -5 2"},
		{"behind --", "run add 1 -- -5", "run add -- 1 -5"},
		{"standard input", "run isprime -7 --numbers -", "run isprime --numbers - -- -7"},
		{"no function", "run -5", "run -- -5"},
		{"no command", "-5", "-5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &settings{surroundings: surroundings{lookup: func(string) (string, bool) { return "", false }}}
			got := shieldNegatives(rootCommand(s), strings.Fields(c.args))
			if want := strings.Fields(c.want); !slices.Equal(got, want) {
				t.Errorf("%q became %q, want %q", c.args, got, want)
			}
		})
	}
}
