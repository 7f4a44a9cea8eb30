package client

import (
	"fmt"
	"strings"
	"testing"
)

// messages is the messages of a stream in one line.
func messages(t *testing.T, stream string) string {
	t.Helper()
	var out []string
	err := parse(strings.NewReader(stream), func(m message) error {
		out = append(out, fmt.Sprintf("%s|%s|%q", m.name, m.id, m.data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, stream, want string }{
		{"an event", "event: gap\nid: 0:1.2:3\ndata: {}\n\n", `gap|0:1.2:3|"{}"`},
		{"without spaces", "event:gap\nid:7\ndata:{}\n\n", `gap|7|"{}"`},
		{"a sign of life", ": hello\n\n:\n\n", `||"" ||""`},
		{"lines of data", "event: x\ndata: a\ndata: b\n\n", `x||"a\nb"`},
		{"carriage returns", "event: x\r\ndata: a\r\n\r\n", `x||"a"`},
		{"an unknown field", "event: x\nretry: 7\ncolour: red\ndata: a\n\n", `x||"a"`},
		{"cut off", "event: x\ndata: a\n", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := messages(t, c.stream); got != c.want {
				t.Errorf("%q is read as %s, want %s", c.stream, got, c.want)
			}
		})
	}
	endless := strings.NewReader("data: " + strings.Repeat("x", maxMessageBytes+1) + "\n\n")
	if err := parse(endless, func(message) error { return nil }); err == nil {
		t.Error("an endless line was read")
	}
}

// FuzzParse: no stream breaks the reader, and what was cut off is never given.
func FuzzParse(f *testing.F) {
	f.Add("event: gap\nid: 0:1.2:3\ndata: {}\n\n")
	f.Add(":\n\nevent\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		count := 0
		_ = parse(strings.NewReader(stream), func(m message) error {
			count++
			if strings.ContainsAny(m.name+m.id, "\n") {
				t.Errorf("a field has a line break: %q", m)
			}
			return nil
		})
		if lines := strings.Count(stream, "\n"); count > lines {
			t.Errorf("%d messages of %d lines", count, lines)
		}
	})
}
