package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// result is a job as --output json prints it.
type result struct {
	Job      string          `json:"job"`
	Function string          `json:"function"`
	Input    json.RawMessage `json:"input"`
	State    string          `json:"state"`
	Result   json.RawMessage `json:"result,omitempty"`
	Units    uint64          `json:"units"`
	Dead     uint64          `json:"dead,omitempty"` // units the answer is without
	Code     string          `json:"code,omitempty"`
	Error    string          `json:"error,omitempty"`
	// Seconds from the submission to the end by the clock, pauses between
	// two runs included.
	Seconds float64 `json:"seconds"`
}

// resultOf is a finished job of a server.
func resultOf(job *api.Job) result {
	out := result{
		Job: job.ID, Function: job.Function, Input: job.Input, State: job.State, Result: job.Result,
		Units: uint64(job.Units), Dead: uint64(job.Dead),
	}
	if job.Error != nil {
		out.Code, out.Error = job.Error.Code, job.Error.Detail
	}
	if job.Submitted != nil && job.Finished != nil {
		out.Seconds = float64(max(job.Finished.Sub(*job.Submitted).Milliseconds(), 0)) / 1000
	}
	return out
}

// printResult prints what became of a job; the error says that it has no
// answer, or that it could not be printed.
func (s *settings) printResult(out result) error {
	if err := s.printAnswer(out); err != nil {
		return polymath.Errorf(polymath.Internal, "print the answer: %w", err)
	}
	if out.State != polymath.Succeeded.String() {
		return out.failure()
	}
	if out.Dead > 0 {
		_, _ = fmt.Fprintf(s.stderr, "polymath: the answer is without %d of %d units, which could not be calculated\n", out.Dead, out.Units)
	}
	return nil
}

// failure is the error for a job without an answer.
func (out *result) failure() error {
	if out.State == polymath.Cancelled.String() {
		return polymath.Errorf(polymath.JobFailed, "%s was cancelled", out.Job)
	}
	return polymath.Errorf(polymath.JobFailed, "%s %s: %s", out.Job, out.State, printable(out.Error))
}

func (s *settings) printAnswer(out result) error {
	if s.output == outputJSON {
		return writeLine(s.stdout, out)
	}
	if out.Result == nil {
		return nil
	}
	if s.terminal {
		var text strings.Builder
		if err := writeText(&text, out.Result); err != nil {
			return err
		}
		_, err := io.WriteString(s.stdout, printableLines(text.String()))
		return err
	}
	return writeText(s.stdout, out.Result)
}
