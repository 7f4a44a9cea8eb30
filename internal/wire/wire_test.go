package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

func draw(t *rapid.T) polymath.Ref {
	return polymath.Ref{
		Index:   polymath.Index{Epoch: rapid.Uint32().Draw(t, "epoch"), Position: rapid.Uint64().Draw(t, "position")},
		Ordinal: rapid.Uint32().Draw(t, "ordinal"),
	}
}

func TestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, shard := draw(t), rapid.Uint8().Draw(t, "shard")
		if got, err := ParseSession(Session(r)); err != nil || got != r {
			t.Errorf("session %v: %v, %v", r, got, err)
		}
		l := polymath.Lease{
			Token: polymath.Token{Shard: shard, Ref: r}, Job: polymath.JobID{Shard: shard, Ref: draw(t)},
			Function: rapid.String().Draw(t, "function"), Input: rapid.SliceOf(rapid.Byte()).Draw(t, "input"),
			Interval: polymath.Interval{From: rapid.Uint64().Draw(t, "from"), To: rapid.Uint64().Draw(t, "to")},
			Attempt:  rapid.Uint32().Draw(t, "attempt"), Micros: rapid.Uint64().Draw(t, "micros"),
			LongestRun: rapid.Uint32().Draw(t, "longest"), Speculative: rapid.Bool().Draw(t, "speculative"),
		}
		if got, err := ParseGrant(new(Slab).Grant(r, &l)); err != nil || !reflect.DeepEqual(got, l) {
			t.Errorf("lease %+v: %+v, %v", l, got, err)
		}
	})
}

func TestErrors(t *testing.T) {
	for _, c := range polymath.Codes() {
		err := ParseError(Error(polymath.Errorf(c, "why")))
		if polymath.CodeOf(err) != c || (err.Error() == "why") == (c == polymath.Internal) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if Error(nil) != nil || ParseError(nil) != nil {
		t.Error("no error became one")
	}
	if e := Error(errors.New("secret")); e.GetCode() != "internal" || e.GetMessage() == "secret" {
		t.Errorf("an unknown error: %v", e)
	}
	if polymath.CodeOf(ParseError(&polymathv1.Error{Code: "of_tomorrow"})) != polymath.Internal {
		t.Error("an unknown code")
	}
}

func TestRefused(t *testing.T) {
	for n := range 40 {
		b := make([]byte, n)
		if _, err := ParseSession(b); (err == nil) != (n == refBytes) {
			t.Errorf("a session of %d bytes: %v", n, err)
		}
		if _, err := ParseToken(b); (err == nil) != (n == TokenBytes) {
			t.Errorf("a token of %d bytes: %v", n, err)
		}
		if _, err := ParseGrant(&polymathv1.Grant{Token: b, Job: "j00"}); err == nil {
			t.Error("a grant without a job")
		}
	}
}

// FuzzParse: what is read is what was written, byte for byte, and anything
// else is an error.
func FuzzParse(f *testing.F) {
	f.Add(make([]byte, refBytes))
	f.Add(make([]byte, TokenBytes))
	if g, err := proto.Marshal(new(Slab).Grant(polymath.Ref{}, &polymath.Lease{Function: "f"})); err == nil {
		f.Add(g)
	}
	if e, err := proto.Marshal(Error(polymath.Errorf(polymath.NotFound, "no"))); err == nil {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := ParseSession(data); err == nil && !bytes.Equal(Session(r), data) {
			t.Errorf("session %x became %v", data, r)
		}
		if token, err := ParseToken(data); err == nil && !bytes.Equal(Token(token), data) {
			t.Errorf("token %x became %v", data, token)
		}
		var g polymathv1.Grant
		if proto.Unmarshal(data, &g) == nil {
			if l, err := ParseGrant(&g); err == nil {
				again, err := ParseGrant(new(Slab).Grant(polymath.Ref{}, &l))
				if err != nil || !reflect.DeepEqual(again, l) {
					t.Errorf("%+v became %+v, %v", l, again, err)
				}
			}
		}
		var e polymathv1.Error
		if proto.Unmarshal(data, &e) == nil {
			err := ParseError(&e)
			if polymath.CodeOf(err) == 0 || err.Error() != e.GetMessage() {
				t.Errorf("%v became %v", &e, err)
			}
		}
		if _, err := proto.Marshal(Error(polymath.Errorf(polymath.NotFound, "%s", data))); err != nil {
			t.Errorf("an error of any bytes cannot be sent: %v", err)
		}
	})
}
