package input

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/number"
)

var params = []function.Param{
	{Name: "to", Type: function.Integer, Doc: "where to stop", Required: true},
	{Name: "what", Type: function.Text, Doc: "what to make"},
	{Name: "list", Type: function.Integers, Doc: "some numbers"},
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{``, "must be a JSON object"},
		{`[]`, "must be a JSON object"},
		{`null`, "must be a JSON object"},
		{`7`, `{"to":…,"what":…,"list":…}`},
		{`{}`, `"to" is missing: where to stop`},
		{`{"to":1`, "no well-formed JSON"},
		{`{"to":1,}`, "no well-formed JSON"},
		{`{"to":}`, "no well-formed JSON"},
		{`{to:1}`, "no well-formed JSON"},
		{`{"to":NaN}`, "no well-formed JSON"},
		{`{"to":1} {}`, "something behind"},
		{`{"to":1} x`, "something behind"},
		{`{"to":1,"to":2}`, `"to" is given twice`},
		{`{"to":1,"t\u006f":2}`, `"to" is given twice`},
		{`{"to":1,"To":2}`, `"To" is unknown; there are to, what, list`},
		{`{"to":null}`, `"to" is null`},
		{`{"to":` + strings.Repeat("[", 20_000), "no well-formed JSON"},
		{`{"` + strings.Repeat("x", 60_000) + `":1}`, "is unknown"},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.in), params)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: %v, want %q", tt.in, err, tt.want)
		}
		if polymath.CodeOf(err) != polymath.InvalidArgument || len(err.Error()) > 300 {
			t.Errorf("%.40s: code %v, %d bytes", tt.in, polymath.CodeOf(err), len(err.Error()))
		}
	}
}

func TestRead(t *testing.T) {
	o, err := Parse([]byte(` {"to": 1e3, "what": "sum", "list": [1, "2"]} `), params)
	if err != nil {
		t.Fatal(err)
	}
	var to number.Integer
	if err := o.Read("to", &to); err != nil || to.String() != "1000" {
		t.Errorf("to is %s, %v", to, err)
	}
	if what, err := o.Choice("what", "count", "sum"); err != nil || what != "sum" {
		t.Errorf("what is %q, %v", what, err)
	}
	if list, err := o.List("list"); err != nil || len(list) != 2 || string(list[1]) != `"2"` {
		t.Errorf("list is %s, %v", list, err)
	}
}

func TestWhatIsNotGiven(t *testing.T) {
	o := Object{}
	to := number.FromUint64(7)
	if err := o.Read("to", &to); err != nil || to.String() != "7" {
		t.Errorf("to became %s, %v", to, err)
	}
	if what, err := o.Choice("what", "count", "sum"); err != nil || what != "count" {
		t.Errorf("what is %q, %v", what, err)
	}
	if n, err := o.Uint64("to", 5, 10); err != nil || n != 5 {
		t.Errorf("to is %d, %v", n, err)
	}
	if d, err := o.Duration("wait", time.Second, time.Minute); err != nil || d != time.Second || o.Has("wait") {
		t.Errorf("wait is %v, %v", d, err)
	}
}

func TestReadRefuses(t *testing.T) {
	long := "[1" + strings.Repeat(",1", MaxElements) + "]"
	var n number.Integer
	object := func(name, value string) Object { return Object{name: []byte(value)} }
	choice := func(o Object) error { _, err := o.Choice("x", "count", "sum"); return err }
	three := func(o Object) error { _, err := o.Choice("x", "a", "b", "c"); return err }
	duration := func(o Object) error { _, err := o.Duration("x", 0, time.Minute); return err }
	bounded := func(o Object) error { _, err := o.Uint64("x", 0, 10); return err }
	count := func(o Object) error { _, err := o.Count("x", 10); return err }
	list := func(o Object) error { _, err := o.List("x"); return err }
	tests := []struct {
		err  error
		want string
	}{
		{object("x", `"abc"`).Read("x", &n), `field "x": "abc" is no number`},
		{choice(object("x", `"Sum"`)), `field "x" is "Sum": it must be count or sum`},
		{choice(object("x", `1`)), "it must be count or sum"},
		{three(object("x", `1`)), "it must be a, b or c"},
		{duration(object("x", `1`)), `field "x" is 1: it must be a duration`},
		{duration(object("x", `"61s"`)), "from 0 to 1m,"},
		{duration(object("x", `"-1s"`)), "from 0 to 1m,"},
		{duration(object("x", `"soon"`)), "it must be a duration"},
		{bounded(object("x", `11`)), `field "x": 11 is out of range: whole numbers from 0 to 10`},
		{bounded(object("x", `-1`)), "out of range"},
		{count(object("x", `0`)), `field "x": 0 is out of range: whole numbers from 1 to 10 are taken`},
		{count(object("x", `11`)), "from 1 to 10"},
		{count(object("x", `"many"`)), "is no number"},
		{bounded(object("x", `0.5`)), "no whole number"},
		{list(object("x", `[]`)), "is an empty list"},
		{list(object("x", `{}`)), "is no list"},
		{list(object("x", `1`)), `field "x": 1 is no list`},
		{list(object("x", long)), "has 8001 elements: at most 8000"},
	}
	for _, tt := range tests {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) || polymath.CodeOf(tt.err) != polymath.InvalidArgument {
			t.Errorf("%v, want %q", tt.err, tt.want)
		}
	}
}

func TestCanonicalIsBounded(t *testing.T) {
	fits := strings.Repeat("x", polymath.MaxInlineBytes-2) // and two quotes
	if data, err := Canonical(fits); err != nil || len(data) != polymath.MaxInlineBytes {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := Canonical(fits + "x"); polymath.CodeOf(err) != polymath.TooLarge {
		t.Errorf("one byte too many: %v", err)
	}
	if _, err := Canonical(make(chan int)); polymath.CodeOf(err) != polymath.Internal {
		t.Errorf("a channel: %v", err)
	}
}

func TestWrapKeeps(t *testing.T) {
	if Wrap(nil, "x") != nil {
		t.Error("nil became an error")
	}
	cause := errors.New("cause")
	if err := Wrap(cause, "x"); !errors.Is(err, cause) {
		t.Errorf("%v lost its cause", err)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Hour: "1h", 168 * time.Hour: "168h", 90 * time.Minute: "1h30m", time.Minute: "1m", 61 * time.Second: "1m1s", 10 * time.Second: "10s", 0: "0s", time.Hour + time.Second: "1h0m1s", 20 * time.Minute: "20m", 200 * time.Millisecond: "200ms"} {
		if got := short(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
