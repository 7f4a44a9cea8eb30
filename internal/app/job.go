package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/polymath-run/polymath"
)

// Request is a calculation somebody asks for.
type Request struct {
	Tenant string
	// Spec is the planned calculation. Its Key, Body and Deadline are set
	// here.
	Spec polymath.Spec
	// Deadline is how long after its submission an unfinished job fails; 0:
	// never.
	Deadline time.Duration
	// Fresh cancels an unfinished job of the same calculation instead of
	// going on with it.
	Fresh bool
	// Ahead lets a new job go before those of its function that are
	// unfinished already: somebody waits for this one.
	Ahead bool
}

// Begun is what came of a Request.
type Begun struct {
	Job       polymath.JobID
	Resumed   bool             // it is an unfinished job that was begun before
	Cancelled []polymath.JobID // those that gave way to a fresh one
	Others    int              // how many other jobs are unfinished here
}

// Begin finds the unfinished job of a calculation, or submits it. When it
// returns nil the job is durable: it finishes as soon as somebody works on it,
// however often the process is killed.
//
// A job is of the same calculation when function, canonical input, tenant and
// options are equal. Their hash is the body of the job's idempotency key, and
// the key is random: nothing is shared with jobs that are finished.
func (a *App) Begin(ctx context.Context, r Request) (Begun, error) {
	spec := r.Spec
	if err := r.mark(&spec); err != nil {
		return Begun{}, err
	}
	var b Begun
	old, highest := a.survey(&spec, &b)
	for _, id := range old {
		if !r.Fresh {
			b.Job, b.Resumed = id, true
			b.Others += len(old) - 1
			return b, nil
		}
		err := a.node.Cancel(ctx, id)
		if errors.Is(err, &polymath.Error{Code: polymath.NotFound}) {
			continue // it finished meanwhile
		}
		if err != nil {
			return b, a.reason(ctx, err)
		}
		b.Cancelled = append(b.Cancelled, id)
	}
	if r.Ahead && highest >= spec.Options.Priority {
		spec.Options.Priority = min(highest, polymath.MaxPriority-1) + 1
	}
	if r.Deadline > 0 {
		spec.Options.Deadline = time.Now().Add(r.Deadline).UnixMilli()
	}
	var err error
	b.Job, _, err = a.node.Submit(ctx, r.Tenant, spec)
	return b, a.reason(ctx, err)
}

// survey looks at every unfinished job: old are those of the same calculation,
// oldest first, and highest is the priority of the others of its function.
func (a *App) survey(spec *polymath.Spec, b *Begun) (old []polymath.JobID, highest int8) {
	highest = polymath.MinPriority - 1
	a.node.Find(func(j *polymath.Job) bool {
		switch {
		case j.Options.Body == spec.Options.Body && j.Function == spec.Function && bytes.Equal(j.Input, spec.Input):
			old = append(old, j.ID)
			return false
		case j.Function == spec.Function:
			highest = max(highest, j.Options.Priority)
		}
		b.Others++
		return false
	})
	slices.SortFunc(old, func(x, y polymath.JobID) int { return x.Ref.Compare(y.Ref) })
	return old, highest
}

// mark gives the job its key and the hash it is found by.
func (r *Request) mark(spec *polymath.Spec) error {
	text, err := json.Marshal(struct {
		Tenant, Function string
		Input            []byte
		Options          polymath.Options
		Deadline         time.Duration
	}{r.Tenant, spec.Function, spec.Input, spec.Options, r.Deadline})
	if err != nil {
		return polymath.Errorf(polymath.Internal, "write the request: %w", err)
	}
	sum := sha256.Sum256(text)
	copy(spec.Options.Body[:], sum[:])
	if _, err := rand.Read(spec.Options.Key[:]); err != nil {
		return polymath.Errorf(polymath.Internal, "choose a key: %w", err)
	}
	return nil
}

// Wait returns the job once it is finished. When ctx ends first the error has
// the code Interrupted, and the job goes on when somebody works on it again.
func (a *App) Wait(ctx context.Context, id polymath.JobID) (polymath.Job, error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(a.alive, stop)()
	job, err := a.node.Wait(waiting, id)
	return job, a.reason(ctx, err)
}

// reason prefers why the App failed, or that the caller let go, over what its
// caller saw of that.
func (a *App) reason(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if why := a.Err(); why != nil {
		return why
	}
	if ctx.Err() != nil {
		return polymath.Errorf(polymath.Interrupted,
			"interrupted: the same command goes on with the job, or begins it if it was not taken yet (%w)", err)
	}
	return explain(a.path, err)
}
