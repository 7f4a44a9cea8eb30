package certificate

import (
	"bytes"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
)

// sample is the count of the primes from 10 to 30: 11, 13, 17, 19, 23 and 29.
func sample() *Certificate {
	return &Certificate{
		Function: "primes", From: Integer(10), To: Integer(30), Count: Integer(6),
		Sieve: Sieve{Method: "sieve", Version: 1, Parts: []Part{
			{From: Integer(10), To: Integer(20), Count: Integer(4), Units: Integer(1), Checksum: Integer(7)},
			{From: Integer(21), To: Integer(30), Count: Integer(2), Units: Integer(2), Checksum: Integer(8)},
		}},
		Formula: Formula{Method: "formula", Version: 1, Points: []Point{
			{X: Integer(30), Primes: Integer(10)}, {X: Integer(9), Primes: Integer(4)},
		}},
	}
}

func encoded(t *testing.T) []byte {
	c := sample()
	if err := c.Seal(); err != nil {
		t.Fatal(err)
	}
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	data := encoded(t)
	for _, wrapped := range []string{string(data), `{"count":6,"certificate":` + string(data) + `}`, `{"job":"j","result":{"certificate":` + string(data) + `}}`} {
		c, err := Decode([]byte(wrapped))
		if err != nil {
			t.Fatalf("%.60s: %v", wrapped, err)
		}
		again, err := c.Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%.60s: %s, %v", wrapped, again, err)
		}
	}
}

// No digit can be another one, and nothing can be left out.
func TestEveryChangedByteIsFound(t *testing.T) {
	data := encoded(t)
	for i, b := range data[:len(data)-1] {
		for bit := range 8 {
			changed := bytes.Clone(data)
			changed[i] = b ^ 1<<bit
			if _, err := Decode(changed); err == nil && !blank(b) {
				t.Errorf("byte %d, %q, may be %q", i, b, changed[i])
			}
		}
		if _, err := Decode(append(bytes.Clone(data[:i]), data[i+1:]...)); err == nil && !blank(b) {
			t.Errorf("byte %d, %q, may be missing", i, b)
		}
	}
}

func blank(b byte) bool { return b == ' ' || b == '\n' }

// Somebody who makes a new digest still has to make it fit together.
func TestContradictions(t *testing.T) {
	for name, change := range map[string]func(c *Certificate){
		"parts add up":        func(c *Certificate) { c.Count = Integer(7) },
		"formula gives":       func(c *Certificate) { c.Formula.Points[0].Primes = Integer(11) },
		"counts to":           func(c *Certificate) { c.Formula.Points[1].X = Integer(10) },
		"points":              func(c *Certificate) { c.Formula.Points = c.Formula.Points[:1] },
		"should follow":       func(c *Certificate) { c.Sieve.Parts[1].From = Integer(20) },
		"end at 20":           func(c *Certificate) { c.Sieve.Parts = c.Sieve.Parts[:1] },
		"0 parts":             func(c *Certificate) { c.Sieve.Parts = nil },
		"from 31 to 30":       func(c *Certificate) { c.From = Integer(31) },
		"units or a checksum": func(c *Certificate) { c.Sieve.Parts[0].Units = Integer(0) },
	} {
		c := sample()
		change(c)
		err := c.Seal()
		if polymath.CodeOf(err) != polymath.InvalidArgument || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: sealed with %v", name, err)
		}
		data, encodeErr := c.Encode()
		if encodeErr != nil {
			t.Fatal(encodeErr)
		}
		if _, err := Decode(data); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: decoded with %v", name, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := string(encoded(t))
	for name, text := range map[string]string{
		"no JSON":        "",
		"no JSON object": `[1]`,
		"format 2":       strings.Replace(good, `"format": 1`, `"format": 2`, 1),
		"this is none":   `{}`,
		"unknown field":  strings.Replace(good, `"from"`, `"form": 1, "from"`, 1),
		"no JSON o":      good + "x",
		"bytes":          good + strings.Repeat(" ", MaxBytes),
	} {
		if _, err := Decode([]byte(text)); polymath.CodeOf(err) != polymath.InvalidArgument || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a reader sees is what is checked: nothing may be said twice, in capitals,
// or around the certificate, and be another thing.
func TestWhatIsReadIsWhatIsCertified(t *testing.T) {
	good := string(encoded(t))
	replaced := func(old, text string) string {
		changed := strings.Replace(good, old, text, 1)
		if changed == good {
			t.Fatalf("%q is not in the sample", old)
		}
		return changed
	}
	for name, text := range map[string]string{
		"count twice":           replaced(`"count": 6,`, `"count": 999, "count": 6,`),
		"count in capitals":     replaced(`"count": 6,`, `"COUNT": 999, "count": 6,`),
		"count last":            replaced(`"count": 6,`, `"count": 6, "Count": 6,`),
		"part twice":            replaced(`"count": 4,`, `"count": 5, "count": 4,`),
		"parts twice":           replaced(`"parts": [`, `"parts": [], "parts": [`),
		"another order":         replaced("\"from\": 10,\n  \"to\": 30,", `"to": 30, "from": 10,`),
		"a number as text":      replaced(`"count": 6,`, `"count": "6",`),
		"another form":          replaced(`"from": 10,`, `"from": 1e1,`),
		"null in between":       replaced(`"count": 6,`, `"count": null, "count": 6,`),
		"another answer":        `{"count":999,"verified":true,"certificate":` + good + `}`,
		"another answer, typed": `{"count":"6e0","certificate":` + strings.Replace(good, `"to": 30`, `"to": 31`, 1) + `}`,
		"another range":         `{"job":"j","input":{"from":0,"to":30},"result":{"count":6,"certificate":` + good + `}}`,
		"another end":           `{"job":"j","input":{"from":10,"to":31},"result":{"count":6,"certificate":` + good + `}}`,
		"another count":         `{"job":"j","input":{"from":10,"to":30},"result":{"count":7,"certificate":` + good + `}}`,
		"twice":                 `{"count":6,"certificate":` + good + `}` + good,
	} {
		if _, err := Decode([]byte(text)); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"blanks":         strings.ReplaceAll(good, "\n", "\t\r\n "),
		"one line":       strings.ReplaceAll(good, "\n", ""),
		"a whole answer": `{"job":"j","input":{"from":"10","to":3e1},"result":{"count":6,"verified":true,"certificate":` + good + `}}`,
	} {
		if _, err := Decode([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	c := sample()
	if err := c.Seal(); err != nil {
		f.Fatal(err)
	}
	data, err := c.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode(data)
		if err != nil {
			if polymath.CodeOf(err) != polymath.InvalidArgument {
				t.Errorf("%v", err)
			}
			return
		}
		if c.consistent() != nil || c.Format != Format {
			t.Errorf("decoded %+v", c)
		}
	})
}

func TestChecksum(t *testing.T) {
	const want = 0x22ee39df // printf 0:25 | sha256sum | cut -c1-8
	if got := Checksum(0, 25); got != want {
		t.Errorf("%08x, want %08x", got, want)
	}
}
