package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestWriteText(t *testing.T) {
	for _, c := range []struct{ name, answer, want string }{
		{"a number", `78498`, "78498\n"},
		{"a long number", `"18446744073709551616"`, "18446744073709551616\n"},
		{"a truth", `true`, "true\n"},
		{"a list", `[2,"3",null,true]`, "2\n3\nnull\ntrue\n"},
		{"an empty list", `[]`, ""},
		{"an object in its order", `{"pi":"3.14","error":0.1,"n":[1,2]}`, "pi     3.14\nerror  0.1\nn      [1,2]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got strings.Builder
			if err := writeText(&got, json.RawMessage(c.answer)); err != nil {
				t.Fatal(err)
			}
			if got.String() != c.want {
				t.Errorf("%s is printed as %q, want %q", c.answer, &got, c.want)
			}
		})
	}
}
