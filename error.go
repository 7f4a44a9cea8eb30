package polymath

import (
	"errors"
	"fmt"
)

// Code says what kind of thing went wrong, in the one list that HTTP statuses,
// problem types and exit codes are derived from.
type Code uint8

// The codes. The numbers are in journals and on disk: never renumber them.
const (
	Internal         Code = 1 // a broken invariant; the text stays private
	InvalidArgument  Code = 2
	Unauthenticated  Code = 3
	PermissionDenied Code = 4
	NotFound         Code = 5
	Conflict         Code = 6
	StaleToken       Code = 7 // the lease ended before this command arrived
	Gone             Code = 8 // it existed, and retention removed it
	TooLarge         Code = 9
	UnsupportedMedia Code = 10
	KeyReused        Code = 11 // the idempotency key came with another body
	RateLimited      Code = 12
	Overloaded       Code = 13 // a bound on waiting work; try again later
	Unavailable      Code = 14
	Timeout          Code = 15
	Interrupted      Code = 16 // the caller let go; the work goes on
	Damaged          Code = 17 // the data directory is in use or damaged
	JobFailed        Code = 18 // the calculation itself failed
	CancelledJob     Code = 19 // the job was cancelled before it had an answer
)

// Codes lists every code in the order of its number.
func Codes() []Code {
	codes := make([]Code, 0, len(codeTable))
	for c := Internal; int(c) <= len(codeTable); c++ {
		codes = append(codes, c)
	}
	return codes
}

// The exit codes of the command line.
const (
	ExitDone        = 0
	ExitJobFailed   = 1
	ExitUsage       = 2
	ExitUnreachable = 3
	ExitNotFound    = 4
	ExitRefused     = 5
	ExitData        = 6   // data directory in use or damaged
	ExitInterrupted = 130 // detached by Ctrl-C
)

// codeRow is what one code is called on every surface.
type codeRow struct {
	name   string
	status int // HTTP
	exit   int
}

// codeTable is indexed by code-1. It is constant.
var codeTable = [...]codeRow{
	{"internal", 500, ExitJobFailed},
	{"invalid_argument", 400, ExitUsage},
	{"unauthenticated", 401, ExitRefused},
	{"permission_denied", 403, ExitRefused},
	{"not_found", 404, ExitNotFound},
	{"conflict", 409, ExitRefused},
	{"stale_token", 409, ExitRefused},
	{"gone", 410, ExitNotFound},
	{"too_large", 413, ExitRefused},
	{"unsupported_media", 415, ExitRefused},
	{"key_reused", 422, ExitRefused},
	{"rate_limited", 429, ExitRefused},
	{"overloaded", 503, ExitRefused},
	{"unavailable", 503, ExitUnreachable},
	{"timeout", 504, ExitUnreachable},
	{"interrupted", 499, ExitInterrupted},
	{"damaged", 500, ExitData},
	{"job_failed", 200, ExitJobFailed}, // reading a failed job succeeds
	{"cancelled", 200, ExitJobFailed},
}

func (c Code) row() codeRow {
	if c == 0 || int(c) > len(codeTable) {
		c = Internal
	}
	return codeTable[c-1]
}

// String is the name used in problem types and JSON; "ok" for 0, the code of
// no error.
func (c Code) String() string {
	if c == 0 {
		return "ok"
	}
	return c.row().name
}

// HTTPStatus is the status a request that failed with this code gets.
func (c Code) HTTPStatus() int {
	if c == 0 {
		return 200
	}
	return c.row().status
}

// ExitCode is what a command that failed with this code exits with.
func (c Code) ExitCode() int {
	if c == 0 {
		return ExitDone
	}
	return c.row().exit
}

// Problem is the RFC 9457 problem type of the code.
func (c Code) Problem() string { return "urn:polymath:problem:" + c.String() }

// Error is an error with a code. Its text is for the person who asked: what
// was wrong, where, and what to do.
type Error struct {
	Code    Code
	Message string
	err     error // wrapped, may be nil
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the error that caused this one, or nil.
func (e *Error) Unwrap() error { return e.err }

// Is reports whether target is an *Error with the same code and no message of
// its own, so that errors.Is(err, &Error{Code: NotFound}) asks for the code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == ""
}

// Errorf makes an Error with a code; each %w wraps as in fmt.Errorf.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	cause := errors.Unwrap(err)
	if _, several := err.(interface{ Unwrap() []error }); several {
		cause = err
	}
	return &Error{Code: code, Message: err.Error(), err: cause}
}

// CodeOf finds the code of an error: the first *Error in its chain, or
// Internal. It returns 0 for nil.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
