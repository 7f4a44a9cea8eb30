package main

import (
	"context"
	"fmt"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/bench/server"
)

// archivedMetric counts the finished jobs the server keeps.
const archivedMetric = "polymath_archive_jobs"

// found is what an audit has found.
type found struct {
	orders, acked, archived int
	lost, twice             int
	complaints              []string
}

// audit submits every order of every book once more, under its key, and looks
// at the answers; then it counts jobs.
func (c *cast) audit(ctx context.Context) (f found, err error) {
	jobs := make(map[polymath.JobID]string)
	for i := range c.clients {
		b, err := newBuyer(ctx, c.url(), fmt.Sprint(i), c.book(i))
		if err != nil {
			return f, err
		}
		f.book(b, jobs)
		if err := b.close(); err != nil {
			return f, err
		}
	}
	n, err := c.archived(ctx)
	if err != nil {
		return f, err
	}
	f.count(n)
	return f, nil
}

// archived is how many jobs are in the archive. The server is ended in order
// before and started again: the archive lags behind the answers otherwise.
func (c *cast) archived(ctx context.Context) (int, error) {
	m := c.members[0]
	if err := m.process.Stop(); err != nil {
		return 0, err
	}
	var err error
	if m.process, err = m.start(); err != nil {
		return 0, err
	}
	s := &server.Server{Process: m.process, URL: c.url()}
	var jobs float64
	err = s.Ready(ctx, func(ctx context.Context) error {
		jobs, err = s.Metric(ctx, archivedMetric)
		return err
	})
	return int(jobs), err
}

// book audits one book. jobs are those seen so far, and whose they are.
func (f *found) book(b *buyer, jobs map[polymath.JobID]string) {
	for _, o := range b.book.orders {
		f.orders++
		if o.acked {
			f.acked++
		}
	}
	errs := b.settleAll(b.book.orders)
	for i, o := range b.book.orders {
		if errs[i] != nil {
			f.lost++
			f.complaints = append(f.complaints, errs[i].Error())
			continue
		}
		if whose, ok := jobs[o.job]; ok {
			f.twice++
			f.complaints = append(f.complaints, fmt.Sprintf("job %v is that of %s and of %s", o.job, whose, o.key(b.name)))
		}
		jobs[o.job] = o.key(b.name)
	}
}

// count compares how many jobs there are with how many there should be.
func (f *found) count(archived int) {
	f.archived = archived
	if more := archived - f.orders; more > 0 {
		f.twice += more
		f.complaints = append(f.complaints, fmt.Sprintf("the archive has %d jobs more than were ordered", more))
	} else if more < 0 {
		f.lost -= more
		f.complaints = append(f.complaints, fmt.Sprintf("the archive lacks %d jobs", -more))
	}
}
