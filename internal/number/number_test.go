package number

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

func TestParse(t *testing.T) {
	nines := strings.Repeat("9", MaxDigits)
	tests := []struct{ text, want string }{
		{"0", "0"},
		{"-0", "0"},
		{"007", "7"},
		{"+5", "5"},
		{"-5", "-5"},
		{"1e9", "1000000000"},
		{"1E9", "1000000000"},
		{"1e+3", "1000"},
		{"1_000_000", "1000000"},
		{"2^40", "1099511627776"},
		{"-2^3", "-8"},
		{"0^0", "1"},
		{"1^999999", "1"},
		{"2.5", "2.5"},
		{"2.50", "2.5"},
		{"2.5e1", "25"},
		{"2.5e-3", "0.0025"},
		{"0.000", "0"},
		{"0e5", "0"},
		{"100e-2", "1"},
		{"1e23", "100000000000000000000000"},
		{"18446744073709551616", "18446744073709551616"},
		{nines, nines},
		{"1e9999", "1" + strings.Repeat("0", 9999)},
		{"1e-10000", "0." + strings.Repeat("0", 9999) + "1"},
	}
	for _, tt := range tests {
		d, err := ParseDecimal(tt.text)
		if err != nil {
			t.Errorf("ParseDecimal(%.40q): %v", tt.text, err)
		} else if got := d.String(); got != tt.want {
			t.Errorf("ParseDecimal(%.40q) = %.60s, want %.60s", tt.text, got, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const no, long = "is no number", "too long"
	tests := []struct{ text, want string }{
		{"", no},
		{" 1", no},
		{"NaN", no},
		{"Inf", no},
		{"-inf", no},
		{"null", no},
		{"0x10", no},
		{"1/3", no},
		{"--1", no},
		{".5", no},
		{"5.", no},
		{"1e", no},
		{"1e1.5", no},
		{"1ee5", no},
		{"1.2.3", no},
		{"_1", no},
		{"1_", no},
		{"1__0", no},
		{"1_.5", no},
		{"2^", no},
		{"^2", no},
		{"2^-1", no},
		{"2^3^4", no},
		{"2.5^2", no},
		{"1e3^2", no},
		{"१", no},
		{"1e1000000000", long},
		{"1e-1000000000", long},
		{"1e99999999999999999999999999", long},
		{"1e10000", long},
		{"1e-10001", long},
		{"2^1000000000", long},
		{"2^999999", long},
		{"10^10000", long},
		{strings.Repeat("9", MaxDigits+1), long},
		{strings.Repeat("9", 3*MaxDigits), long},
	}
	for _, tt := range tests {
		_, err := ParseDecimal(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseDecimal(%.40q): %v, want an error with %q", tt.text, err, tt.want)
		}
		if polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("ParseDecimal(%.40q): code %v", tt.text, polymath.CodeOf(err))
		}
	}
	if _, err := ParseInteger("2.5"); err == nil || !strings.Contains(err.Error(), "no whole number") {
		t.Errorf("ParseInteger(2.5): %v", err)
	}
}

func TestIntegerJSON(t *testing.T) {
	tests := []struct{ in, want string }{
		{`5`, `5`},
		{`-5`, `-5`},
		{`1e9`, `1000000000`},
		{`"1_000"`, `1000`},
		{`"2^53"`, `9007199254740992`},
		{`9007199254740993`, `"9007199254740993"`},
		{`-9007199254740992`, `-9007199254740992`},
		{`-9007199254740993`, `"-9007199254740993"`},
		{`"18446744073709551615"`, `"18446744073709551615"`},
	}
	for _, tt := range tests {
		var n Integer
		if err := json.Unmarshal([]byte(tt.in), &n); err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got, _ := json.Marshal(n); string(got) != tt.want {
			t.Errorf("%s leaves as %s, want %s", tt.in, got, tt.want)
		}
	}
	for _, in := range []string{`null`, `true`, `[]`, `{}`, `""`, `"NaN"`, `1.5`, `"\ud800"`} {
		var n Integer
		if err := n.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%s was read as %s", in, n)
		}
	}
}

func TestDecimalJSON(t *testing.T) {
	tests := []struct{ in, want string }{
		{`2.50`, `2.5`},
		{`0.1`, `0.1`},
		{`0.000000000000001`, `0.000000000000001`},
		{`0.0000000000000001`, `"0.0000000000000001"`},
		{`1.23456789012345`, `1.23456789012345`},
		{`1.234567890123456`, `"1.234567890123456"`},
		{`9007199254740993`, `"9007199254740993"`},
	}
	for _, tt := range tests {
		var d Decimal
		if err := json.Unmarshal([]byte(tt.in), &d); err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got, _ := json.Marshal(d); string(got) != tt.want {
			t.Errorf("%s leaves as %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestZeroValues(t *testing.T) {
	var n Integer
	var d Decimal
	v, ok := n.Uint64()
	if v != 0 || !ok || n.Sign() != 0 || n.Big().Sign() != 0 || d.Rat().Sign() != 0 || n.String() != "0" || d.String() != "0" {
		t.Error("the zero values are not 0")
	}
}

func TestValuesAreNeverChanged(t *testing.T) {
	n, d := FromUint64(7), Decimal{big.NewRat(1, 2)}
	n.Big().SetInt64(0)
	d.Rat().SetInt64(0)
	if n.String() != "7" || d.String() != "0.5" {
		t.Errorf("a copy was no copy: %s, %s", n, d)
	}
}

func TestUint64(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "18446744073709551615": true, "2^64": false, "-1": false} {
		n, err := ParseInteger(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := n.Uint64(); ok != want {
			t.Errorf("Uint64 of %s: %v", text, ok)
		}
	}
}

func TestFractions(t *testing.T) {
	tests := []struct {
		above, below int64
		text, round  string // exactly, and to 5 digits
	}{
		{1, 3, "1/3", "0.33333"},
		{-2, 3, "-2/3", "-0.66667"},
		{10, 4, "2.5", "2.5"},
		{100000, 3, "100000/3", "33333"},
		{10000000, 3, "10000000/3", "3333333"},
		{1, 700, "1/700", "0.0014286"},
		{99999999, 1000, "99999.999", "100000"},
		{1, 1, "1", "1"},
		{0, 1, "0", "0"},
	}
	for _, tt := range tests {
		r := big.NewRat(tt.above, tt.below)
		if got := Format(r); got != tt.text {
			t.Errorf("Format(%v) = %s, want %s", r, got, tt.text)
		}
		if got := Round(r, 5); got != tt.round {
			t.Errorf("Round(%v, 5) = %s, want %s", r, got, tt.round)
		}
	}
	if _, err := ParseFraction("1/0"); err == nil {
		t.Error("1/0 was read")
	}
}

// What Format writes, ParseFraction reads, and Round stays within half a unit
// of the last of its digits.
func TestFormatLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		above := rapid.Int64().Draw(t, "above")
		below := rapid.Int64Range(1, 1<<62).Draw(t, "below")
		significant := rapid.IntRange(1, 40).Draw(t, "significant")
		r := big.NewRat(above, below)
		back, err := ParseFraction(Format(r))
		if err != nil || back.Cmp(r) != 0 {
			t.Fatalf("%s came back as %v, %v", Format(r), back, err)
		}
		rounded, err := ParseFraction(Round(r, significant))
		if err != nil {
			t.Fatal(err)
		}
		miss := new(big.Rat).Sub(rounded, r)
		bound := new(big.Rat).Abs(r)
		if bound.Cmp(big.NewRat(1, 1)) < 0 {
			bound.Mul(bound, new(big.Rat).SetFrac(big.NewInt(1), pow10(significant-1)))
		} else {
			bound.SetInt64(1)
		}
		if miss.Abs(miss).Cmp(bound) > 0 {
			t.Fatalf("Round(%v, %d) = %v", r, significant, rounded)
		}
	})
}

// FuzzParse compares with big.Rat on what both can read, and reads back what
// it wrote.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"1e9", "1_000", "2^40", "-5", "2.5e-3", "1e1000000000", "NaN", "9^9^9", "0.1e+5", "1e99999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDecimal(text)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		back, err := ParseDecimal(d.String())
		if err != nil || back.Rat().Cmp(d.Rat()) != 0 {
			t.Fatalf("%q: %s came back as %s, %v", text, d, back, err)
		}
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var viaJSON Decimal
		if err := json.Unmarshal(data, &viaJSON); err != nil || viaJSON.Rat().Cmp(d.Rat()) != 0 {
			t.Fatalf("%q: JSON %s came back as %s, %v", text, data, viaJSON, err)
		}
		if !strings.ContainsAny(text, "^_") {
			if want, ok := new(big.Rat).SetString(text); !ok || want.Cmp(d.Rat()) != 0 {
				t.Fatalf("%q is %s, big.Rat reads %v", text, d, want)
			}
		}
	})
}
