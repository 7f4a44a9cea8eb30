package polymath_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/polymath-run/polymath"
)

// TestCodes holds every code to the table that users were promised: name,
// HTTP status and exit code.
func TestCodes(t *testing.T) {
	want := []struct {
		code   polymath.Code
		name   string
		status int
		exit   int
	}{
		{polymath.Internal, "internal", 500, 1},
		{polymath.InvalidArgument, "invalid_argument", 400, 2},
		{polymath.Unauthenticated, "unauthenticated", 401, 5},
		{polymath.PermissionDenied, "permission_denied", 403, 5},
		{polymath.NotFound, "not_found", 404, 4},
		{polymath.Conflict, "conflict", 409, 5},
		{polymath.StaleToken, "stale_token", 409, 5},
		{polymath.Gone, "gone", 410, 4},
		{polymath.TooLarge, "too_large", 413, 5},
		{polymath.UnsupportedMedia, "unsupported_media", 415, 5},
		{polymath.KeyReused, "key_reused", 422, 5},
		{polymath.RateLimited, "rate_limited", 429, 5},
		{polymath.Overloaded, "overloaded", 503, 5},
		{polymath.Unavailable, "unavailable", 503, 3},
		{polymath.Timeout, "timeout", 504, 3},
		{polymath.Interrupted, "interrupted", 499, 130},
		{polymath.Damaged, "damaged", 500, 6},
		{polymath.JobFailed, "job_failed", 200, 1},
		{polymath.CancelledJob, "cancelled", 200, 1},
	}
	codes := polymath.Codes()
	if len(codes) != len(want) {
		t.Fatalf("%d codes, and %d are promised", len(codes), len(want))
	}
	seen := make(map[string]bool)
	for i, w := range want {
		c := codes[i]
		if c != w.code || int(c) != i+1 || c.String() != w.name || c.HTTPStatus() != w.status || c.ExitCode() != w.exit {
			t.Errorf("code %d is %v, status %d, exit %d; want %+v", c, c, c.HTTPStatus(), c.ExitCode(), w)
		}
		if c.Problem() != "urn:polymath:problem:"+w.name {
			t.Errorf("problem %q", c.Problem())
		}
		if seen[w.name] {
			t.Errorf("two codes are called %q", w.name)
		}
		seen[w.name] = true
	}
	for n := range 256 {
		if c := polymath.Code(n); n > len(want) && (c.String() != "internal" || c.HTTPStatus() != 500 || c.ExitCode() != 1) {
			t.Errorf("unknown code %d is %v", n, c)
		}
	}
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("reading the job: %w", polymath.Errorf(polymath.NotFound, "job %d: %w", 7, io.EOF))
	if polymath.CodeOf(err) != polymath.NotFound || !errors.Is(err, io.EOF) || !errors.Is(err, &polymath.Error{Code: polymath.NotFound}) {
		t.Errorf("%v has code %v", err, polymath.CodeOf(err))
	}
	if errors.Is(err, &polymath.Error{Code: polymath.Gone}) || errors.Is(err, &polymath.Error{Code: polymath.NotFound, Message: "other"}) {
		t.Errorf("%v is another error", err)
	}
	if err.Error() != "reading the job: job 7: EOF" {
		t.Errorf("text %q", err)
	}
	if none := polymath.CodeOf(nil); none.String() != "ok" || none.HTTPStatus() != 200 || none.ExitCode() != 0 {
		t.Errorf("no error is %v, status %d, exit %d", none, none.HTTPStatus(), none.ExitCode())
	}
	if polymath.CodeOf(nil) != 0 || polymath.CodeOf(io.EOF) != polymath.Internal {
		t.Error("nil has code 0, and a foreign error is internal")
	}
}

// TestErrorfWrapsSeveral: errors with more than one %w keep them all.
func TestErrorfWrapsSeveral(t *testing.T) {
	err := polymath.Errorf(polymath.Unavailable, "%w, then %w", io.ErrUnexpectedEOF, io.ErrClosedPipe)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v lost one of its causes", err)
	}
}
