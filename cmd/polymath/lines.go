package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// many submits a job for each line of a file, as many at a time as one call
// takes, and goes on when some are refused.
func (o *submitSettings) many(ctx context.Context, name string) error {
	from := o.stdin
	if o.lines != "-" {
		f, err := os.Open(o.lines)
		if err != nil {
			return polymath.Errorf(polymath.InvalidArgument, "read the inputs: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		from = f
	}
	return o.ask(ctx, func(c *client.Client) error {
		b := batch{submitSettings: o, client: c, function: name}
		return b.run(ctx, from)
	})
}

// batch is the submission of many jobs.
type batch struct {
	*submitSettings
	client   *client.Client
	function string
	line     int // the number of the last one read
	requests []client.Request
	numbers  []int // their lines
	refused  int
	first    error // why the first of them was
}

func (b *batch) run(ctx context.Context, from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), maxFileBytes)
	for lines.Scan() {
		b.line++
		input := bytes.TrimSpace(lines.Bytes())
		if len(input) == 0 {
			continue
		}
		r := b.request(b.function, bytes.Clone(input))
		if b.key != "" {
			r.Key = fmt.Sprintf("%s-%d", b.key, b.line)
		}
		b.requests, b.numbers = append(b.requests, r), append(b.numbers, b.line)
		if len(b.requests) == api.MaxSubmits {
			if err := b.flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "read line %d of the inputs: %w", b.line+1, err)
	}
	if b.refused > 0 {
		return polymath.Errorf(polymath.CodeOf(b.first), "refused or failed: %d of the inputs", b.refused)
	}
	return nil
}

// flush submits what was gathered, and prints ids or answers in their order.
func (b *batch) flush(ctx context.Context) error {
	if len(b.requests) == 0 {
		return nil
	}
	outcomes, err := b.submit(ctx, b.client, b.requests)
	if err != nil {
		return polymath.Errorf(polymath.CodeOf(err), "lines %d to %d: %w", b.numbers[0], b.numbers[len(b.numbers)-1], err)
	}
	screen := &screen{out: b.stderr, width: b.width()}
	for i := range outcomes {
		var failure, broken error
		switch o := &outcomes[i]; {
		case o.Err != nil:
			failure, broken = o.Err, b.printRefusal(o.Err)
		case b.wait:
			failure = b.finish(ctx, o.Job, screen)
			if code := polymath.CodeOf(failure); code == polymath.Interrupted || code == polymath.Unavailable {
				broken = failure
			}
		default:
			broken = b.printID(o)
		}
		if broken != nil {
			return broken
		}
		b.note(b.numbers[i], failure)
	}
	b.requests, b.numbers = b.requests[:0], b.numbers[:0]
	return nil
}

// printRefusal keeps the lines for programs in step with those of the file.
func (b *batch) printRefusal(err error) error {
	if b.output != outputJSON {
		return nil
	}
	return writeLine(b.stdout, submitted{Code: polymath.CodeOf(err).String(), Error: err.Error()})
}

// note tells of a line without an id or an answer.
func (b *batch) note(line int, err error) {
	if err == nil {
		return
	}
	if b.refused++; b.first == nil {
		b.first = err
	}
	_, _ = fmt.Fprintf(b.stderr, "polymath: line %d: %s\n", line, printableLines(err.Error()))
}

// finish waits for a job and prints its answer on one line.
func (b *batch) finish(ctx context.Context, id polymath.JobID, screen *screen) error {
	job, err := b.await(ctx, b.client, id, screen)
	if err != nil {
		return err
	}
	out := resultOf(&job)
	if b.output == outputJSON {
		return b.printResult(out)
	}
	if out.Result == nil {
		return out.failure()
	}
	return writeLine(b.stdout, out.Result)
}
