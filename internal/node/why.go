package node

import (
	"fmt"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Why says in words where a job stands: what it waits for, how far it is, or
// how it ended. The error is NotFound or Gone when there is no such job.
func (n *Node) Why(id polymath.JobID) (string, error) {
	var s ledger.Standing
	var found bool
	var wall int64
	n.do(func(c *Core) {
		s, found = c.ledger.Standing(id)
		wall = n.Wall()
	})
	if found {
		return explainStanding(&s, wall), nil
	}
	job, err := n.options.Archive.Job(id)
	if err != nil {
		return "", err
	}
	return explainEnd(&job), nil
}

// explainEnd says how a finished job ended.
func explainEnd(j *polymath.Job) string {
	took := ""
	if j.Started > 0 && j.Finished >= j.Started {
		took = " in " + (time.Duration(j.Finished-j.Started) * time.Millisecond).String()
	}
	switch {
	case j.State == polymath.Succeeded && j.Dead > 0:
		return fmt.Sprintf("succeeded%s: %s done, without %s", took, of(j.Done, j.Units), count(j.Dead, "dead letter"))
	case j.State == polymath.Succeeded:
		return fmt.Sprintf("succeeded%s: %s done", took, of(j.Done, j.Units))
	case j.State == polymath.Failed:
		return fmt.Sprintf("failed with %s done: %s", of(j.Done, j.Units), j.Error)
	default:
		return fmt.Sprintf("cancelled with %s done", of(j.Done, j.Units))
	}
}

// explainStanding says what keeps an unfinished job, now in Unix milliseconds.
func explainStanding(s *ledger.Standing, now int64) string {
	begin := "waiting"
	if s.Job.State == polymath.Running {
		begin = fmt.Sprintf("running: %s done", of(s.Job.Done, s.Job.Units))
		if s.Job.Dead > 0 {
			begin += ", " + count(s.Job.Dead, "dead letter")
		}
		if s.Leases > 0 {
			begin += fmt.Sprintf(", %d out in %s", s.Job.Leased, count(uint64(s.Leases), "lease"))
		}
	}
	reasons := []string{begin}
	switch {
	case s.Delayed:
		reasons = append(reasons, "it may not begin before "+moment(s.Job.Options.NotBefore, now))
	case s.Ready:
		reasons = append(reasons, obstacle(s))
	}
	if s.Retries > 0 {
		reasons = append(reasons, retries(s, now))
	}
	return strings.Join(reasons, "; ")
}

// obstacle says why nobody works on units that are there to be leased.
func obstacle(s *ledger.Standing) string {
	q, f := &s.Queue, s.Job.Function
	switch {
	case q.Paused:
		return fmt.Sprintf("its queue %q is paused: resume the queue", q.Name)
	case q.Concurrency > 0 && q.Leased >= q.Concurrency:
		return fmt.Sprintf("its queue %q may have %s at a time and has %d out", q.Name, count(uint64(q.Concurrency), "lease"), q.Leased) + ahead(s)
	case s.Workers == 0 && len(s.Offered) == 0:
		return fmt.Sprintf("no worker is here: start one that offers %q", f)
	case s.Workers == 0:
		offered := strings.Join(s.Offered, ", ")
		if s.OfferedMore {
			offered += " and more"
		}
		return fmt.Sprintf("no worker offers %q; those here offer %s", f, offered)
	case s.Busy >= s.Slots && s.Slots == 1:
		return fmt.Sprintf("the worker that offers %q is busy", f) + ahead(s)
	case s.Busy >= s.Slots && s.Workers == 1:
		return fmt.Sprintf("the worker that offers %q is busy: it has %d parts, as many as it takes at a time", f, s.Busy) + ahead(s)
	case s.Busy >= s.Slots:
		return fmt.Sprintf("the %d workers that offer %q are busy: they have %d parts, as many as they take at a time", s.Workers, f, s.Busy) + ahead(s)
	default:
		return "a worker has room for it: its turn is about to come" + ahead(s)
	}
}

// ahead says who is served first.
func ahead(s *ledger.Standing) (text string) {
	if s.Ahead > 0 {
		jobs := count(s.Ahead, "job")
		if s.Ahead == ledger.MaxAhead {
			jobs = fmt.Sprintf("more than %d jobs", ledger.MaxAhead-1)
		}
		text = fmt.Sprintf(", and %s of its queue with %s %s first, by priority or age", jobs, count(s.AheadUnits, "unit"), verb(s.Ahead, "goes", "go"))
	}
	if s.Rivals > 0 {
		text += fmt.Sprintf(", and %s with %s of %q %s turns with its own",
			count(s.Rivals, "other queue"), count(s.RivalJobs, "job"), s.Job.Function, verb(s.Rivals, "takes", "take"))
	}
	return text
}

// retries says what failed, and when it is tried again.
func retries(s *ledger.Standing, now int64) string {
	next := retry(s.Next, now)
	when := "as soon as a worker is free"
	if next.Due > 0 {
		when = "at " + moment(next.Due, now)
	}
	return fmt.Sprintf("%s of units %s to be tried again, the next one (%d to %d) %s after attempt %d of %d failed: %s",
		count(uint64(s.Retries), "interval"), verb(uint64(s.Retries), "waits", "wait"),
		next.Interval.From, next.Interval.To-1, when, next.Attempts, s.Job.Options.Attempts, next.Error)
}

// of is how many units of all.
func of(done, units uint64) string { return fmt.Sprintf("%d of %s", done, count(units, "unit")) }

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func verb(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// moment is a time as people read it, and how far it is off.
func moment(at, now int64) string {
	text := time.UnixMilli(at).UTC().Format(time.RFC3339)
	if at > now {
		text += " (in " + span(at-now) + ")"
	}
	return text
}

// span is a number of milliseconds as people read it: up to the end of the year
// 9999, which no time.Duration reaches.
func span(millis int64) string {
	const day = int64(24 * time.Hour / time.Millisecond)
	if millis >= 2*day {
		return fmt.Sprintf("%d days", millis/day)
	}
	return max(time.Duration(millis)*time.Millisecond, time.Second).Round(time.Second).String()
}
