package rest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// preference reads Prefer: wait=N (RFC 7240), at most api.MaxWaitSeconds.
// What is not understood is not a preference, as that RFC has it.
func preference(prefer string) time.Duration {
	for part := range strings.FieldsFuncSeq(prefer, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 32)
		if err != nil {
			return 0
		}
		return time.Duration(min(seconds, api.MaxWaitSeconds)) * time.Second
	}
	return 0
}

// patience ends with the request, after a time, or when the server stops.
func (f *face) patience(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(f.options.Stopping, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// wait returns a job once it is finished, or as it is when patience ends. The
// caller has a place in f.waiting.
func (f *face) wait(ctx context.Context, id polymath.JobID, d time.Duration) (api.Job, error) {
	patient, stop := f.patience(ctx, d)
	defer stop()
	job, err := f.backend.Wait(patient, id)
	if err != nil && patient.Err() != nil && ctx.Err() == nil {
		return f.backend.Job(ctx, id)
	}
	return job, err
}

// consistent does what a read with this consistency needs first. What this
// server has applied is the whole of what it acknowledged, in order, so that
// the weaker ones need nothing.
func (f *face) consistent(ctx context.Context, level string) error {
	if level != "linearizable" {
		return nil
	}
	patient, stop := f.patience(ctx, barrierLimit)
	defer stop()
	err := f.backend.Barrier(patient)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		return polymath.Errorf(polymath.Unavailable, "the end of the journal was not reached within %v: %w", barrierLimit, err)
	}
	return err
}

// barrierLimit is how long a linearizable read waits for the journal.
const barrierLimit = 5 * time.Second
