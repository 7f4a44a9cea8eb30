package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/polymath-run/polymath"
)

// order is one job a client wanted: the sum of the numbers of a range.
type order struct {
	seq      uint64
	from, to uint64
	job      polymath.JobID // once it is acknowledged
	acked    bool
	ended    bool // with the right answer
}

// key is what makes its submission idempotent.
func (o *order) key(client string) string { return fmt.Sprintf("service-%s-%d", client, o.seq) }

// input is the job's.
func (o *order) input() string { return fmt.Sprintf(`{"from":%d,"to":%d}`, o.from, o.to) }

// answer is the sum, by the formula and not by adding.
func (o *order) answer() string { return fmt.Sprint((o.from + o.to) * (o.to - o.from + 1) / 2) }

// book is a client's memory over its deaths: a file with a line for whatever
// it is about to do or has been told. A line is one write, which is the
// system's once it returns: SIGKILL of the client takes no line back.
//
//	try SEQ FROM TO
//	ack SEQ JOB
//	end SEQ
type book struct {
	mu     sync.Mutex
	file   *os.File
	orders []*order // by seq
}

// openBook opens a book to go on with it. A line that was cut short was never
// written.
func openBook(path string) (b *book, err error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	b = new(book)
	if b.orders, err = parseBook(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if b.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	return b, b.file.Truncate(int64(len(text)))
}

// parseBook reads whole lines.
func parseBook(text []byte) (orders []*order, err error) {
	for line := range bytes.Lines(text) {
		var verb string
		var seq uint64
		if _, err := fmt.Sscan(string(line), &verb, &seq); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if verb == "try" {
			o := &order{seq: seq}
			if _, err := fmt.Sscan(string(line), &verb, &seq, &o.from, &o.to); err != nil || seq != uint64(len(orders)) {
				return nil, fmt.Errorf("%q is not order %d: %w", line, len(orders), err)
			}
			orders = append(orders, o)
			continue
		}
		if seq >= uint64(len(orders)) {
			return nil, fmt.Errorf("%q: there is no such order", line)
		}
		if err := orders[seq].note(verb, line); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// note reads what became of an order.
func (o *order) note(verb string, line []byte) error {
	switch verb {
	case "ack":
		var job string
		if _, err := fmt.Sscan(string(line), &verb, &o.seq, &job); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		id, err := polymath.ParseJobID(job)
		if err == nil && o.acked && o.job != id {
			err = errors.New("it was another job before")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		o.job, o.acked = id, true
	case "end":
		o.ended = true
	default:
		return fmt.Errorf("%q is no line of a book", line)
	}
	return nil
}

// open are the orders that have not ended.
func (b *book) open() (open []*order) {
	for _, o := range b.orders {
		if !o.ended {
			open = append(open, o)
		}
	}
	return open
}

// try begins an order of a range.
func (b *book) try(from, to uint64) (*order, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := &order{seq: uint64(len(b.orders)), from: from, to: to}
	b.orders = append(b.orders, o)
	return o, b.write("try %d %d %d\n", o.seq, from, to)
}

// ack notes that an order is a job. A client that asks twice must be told the
// same job twice.
func (b *book) ack(o *order, job polymath.JobID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.acked && o.job != job {
		return fmt.Errorf("order %d was acknowledged as job %v and then as job %v", o.seq, o.job, job)
	}
	if o.acked {
		return nil
	}
	o.job, o.acked = job, true
	return b.write("ack %d %v\n", o.seq, job)
}

// end notes that the right answer came.
func (b *book) end(o *order) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.ended = true
	return b.write("end %d\n", o.seq)
}

func (b *book) write(format string, args ...any) error {
	_, err := fmt.Fprintf(b.file, format, args...)
	return err
}

func (b *book) close() error { return b.file.Close() }
