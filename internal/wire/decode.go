package wire

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// maxNames bounds the texts a decoder remembers: the functions, tenants and
// queues of a stream are few.
const maxNames = 1024

// decoder reads the messages of a stream. It does what proto.Unmarshal does,
// at about half the cost, because it need not ask what a message looks like,
// makes room for many parts of a message at once, and copies no bytes: those of
// the message it has made are part of what was read, and change with it. What is rare it leaves to proto.Unmarshal. Fields of newer
// programs are dropped.
type decoder struct {
	names   map[string]string // texts that are said again and again
	jobs    strings.Builder   // ids of jobs, one after the other: one allocation for many
	called  callsRoom         // of the newest Calls
	replied repliesRoom       // of the newest Replies
}

// callsRoom is the memory of what Calls have many of.
type callsRoom struct {
	submissions room[polymathv1.Submission]
	requests    room[polymathv1.Request]
	reports     room[polymathv1.Report]
	progress    room[polymathv1.Progress]
}

// repliesRoom is the memory of what Replies have many of.
type repliesRoom struct {
	replies room[polymathv1.Reply]
	grants  room[polymathv1.Grant]
}

// decode reads a message, into the memory of the one of its kind that it read
// before: that is not to be used any more.
func (d *decoder) decode(from []byte, m proto.Message) error {
	switch m := m.(type) {
	case *polymathv1.Calls:
		m.Reset()
		return d.calls(from, m)
	case *polymathv1.Replies:
		m.Reset()
		return d.replies(from, m)
	default:
		return proto.Unmarshal(from, m)
	}
}

// name is a text of a field that is one of few.
func (d *decoder) name(f *fields) string {
	if known, ok := d.names[string(f.data)]; ok {
		return known
	}
	name := string(f.text())
	if f.err == nil && len(name) <= polymath.MaxNameBytes && len(d.names) < maxNames {
		if d.names == nil {
			d.names = make(map[string]string)
		}
		d.names[name] = name
	}
	return name
}

// job is the text of a field that is the id of a job.
func (d *decoder) job(f *fields) string {
	from := d.jobs.Len()
	d.jobs.Write(f.text())
	return d.jobs.String()[from:]
}

// callsFields is more than the highest number of a field of Calls and Replies.
const callsFields = 12

// count counts the parts of a message by their fields' numbers.
func count(from []byte) (n [callsFields]int, err error) {
	f := fields{rest: from}
	for f.next() {
		if f.key&7 == data && f.key>>3 < callsFields {
			n[f.key>>3]++
		}
	}
	return n, f.err
}

// The fields of Calls.
const (
	callsSubmissions = 1<<3 | data
	callsGets        = 2<<3 | data
	callsWaits       = 3<<3 | data
	callsCancels     = 4<<3 | data
	callsForgotten   = 5<<3 | number
	callsForgottens  = 5<<3 | data // packed
	callsJoins       = 6<<3 | data
	callsDemands     = 7<<3 | data
	callsBeats       = 8<<3 | data
	callsProgress    = 9<<3 | data
	callsReports     = 10<<3 | data
	callsLeaves      = 11<<3 | data
)

func (d *decoder) calls(from []byte, m *polymathv1.Calls) error {
	n, err := count(from)
	if err != nil {
		return err
	}
	d.jobs.Reset()
	in := &d.called
	in.submissions.begin(n[callsSubmissions>>3])
	in.requests.begin(n[callsSubmissions>>3])
	in.reports.begin(n[callsReports>>3])
	in.progress.begin(n[callsProgress>>3])
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case callsSubmissions:
			f.into(d.submission(f.data, in.submissions.next(), &in.requests))
		case callsReports:
			f.into(d.report(f.data, in.reports.next()))
		case callsProgress:
			f.into(d.progress(f.data, in.progress.next()))
		case callsBeats:
			m.Beats = append(m.Beats, f.data)
		case callsForgotten, callsForgottens:
			m.Forgotten = f.numbers(m.Forgotten)
		case callsGets:
			m.Gets = d.jobCall(&f, m.Gets)
		case callsWaits:
			m.Waits = d.jobCall(&f, m.Waits)
		case callsCancels:
			m.Cancels = d.jobCall(&f, m.Cancels)
		case callsJoins:
			m.Joins = rare(&f, m.Joins, &polymathv1.Join{})
		case callsDemands:
			m.Demands = rare(&f, m.Demands, &polymathv1.Demand{})
		case callsLeaves:
			m.Leaves = rare(&f, m.Leaves, &polymathv1.Leave{})
		}
	}
	m.Submissions, m.Reports, m.Progress = in.submissions.list, in.reports.list, in.progress.list
	return f.err
}

// rare adds a message that is seldom sent to a list.
func rare[T proto.Message](f *fields, list []T, m T) []T {
	f.into(proto.Unmarshal(f.data, m))
	return append(list, m)
}

// merge reads a message that is seldom sent, and may have been read in part
// before: a field that is there twice is one.
func merge(f *fields, m proto.Message) {
	f.into(proto.UnmarshalOptions{Merge: true}.Unmarshal(f.data, m))
}

func (d *decoder) submission(from []byte, s *polymathv1.Submission, requests *room[polymathv1.Request]) error {
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case 1<<3 | number:
			s.Call = f.number
		case 2<<3 | data:
			if s.Request == nil {
				s.Request = requests.next()
			}
			f.into(d.request(f.data, s.Request))
		}
	}
	return f.err
}

func (d *decoder) request(from []byte, q *polymathv1.Request) error {
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case 1<<3 | data:
			q.Function = d.name(&f)
		case 2<<3 | data:
			q.Input = f.data
		case 3<<3 | data:
			q.Tenant = d.name(&f)
		case 4<<3 | data:
			q.Queue = d.name(&f)
		case 5<<3 | number:
			q.Priority = int32(protowire.DecodeZigZag(f.number & 0xffffffff))
		case 6<<3 | number:
			q.Attempts = uint32(f.number)
		case 7<<3 | number:
			q.SkipDead = protowire.DecodeBool(f.number)
		case 8<<3 | number:
			q.NotBefore = int64(f.number)
		case 9<<3 | number:
			q.Deadline = int64(f.number)
		case 10<<3 | data:
			q.Key = string(f.text())
		case 11<<3 | data:
			q.Ticket = f.data
		}
	}
	return f.err
}

func (d *decoder) jobCall(from *fields, list []*polymathv1.JobCall) []*polymathv1.JobCall {
	c := &polymathv1.JobCall{}
	f := fields{rest: from.data}
	for f.next() {
		switch f.key {
		case 1<<3 | number:
			c.Call = f.number
		case 2<<3 | data:
			c.Job = d.job(&f)
		}
	}
	from.into(f.err)
	return append(list, c)
}

func (d *decoder) report(from []byte, r *polymathv1.Report) error {
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case 1<<3 | number:
			r.Call = f.number
		case 2<<3 | data:
			r.Token = f.data
		case 3<<3 | number:
			r.Kind = polymathv1.Report_Kind(f.number)
		case 4<<3 | data:
			r.Output = f.data
		case 5<<3 | number:
			r.Micros = f.number
		case 6<<3 | data:
			r.Error = string(f.text())
		}
	}
	return f.err
}

func (d *decoder) progress(from []byte, p *polymathv1.Progress) error {
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case 1<<3 | data:
			p.Token = f.data
		case 2<<3 | number:
			p.Done = f.number
		}
	}
	return f.err
}

// The fields of Replies.
const (
	repliesReplies = 1<<3 | data
	repliesGrants  = 2<<3 | data
	repliesRetired = 3<<3 | data
	repliesClosed  = 4<<3 | data
	repliesEnd     = 5<<3 | data
)

func (d *decoder) replies(from []byte, m *polymathv1.Replies) error {
	n, err := count(from)
	if err != nil {
		return err
	}
	d.jobs.Reset()
	in := &d.replied
	in.replies.begin(n[repliesReplies>>3])
	in.grants.begin(n[repliesGrants>>3])
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case repliesReplies:
			f.into(d.reply(f.data, in.replies.next()))
		case repliesGrants:
			f.into(d.grant(f.data, in.grants.next()))
		case repliesRetired:
			m.Retired = rare(&f, m.Retired, &polymathv1.Retired{})
		case repliesClosed:
			m.Closed = append(m.Closed, f.data)
		case repliesEnd:
			if m.End == nil {
				m.End = &polymathv1.Error{}
			}
			merge(&f, m.End)
		}
	}
	m.Replies, m.Grants = in.replies.list, in.grants.list
	return f.err
}

func (d *decoder) reply(from []byte, r *polymathv1.Reply) error {
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case 1<<3 | number:
			r.Call = f.number
		case 2<<3 | data:
			if r.Error == nil {
				r.Error = &polymathv1.Error{}
			}
			merge(&f, r.Error)
		case 3<<3 | data:
			r.Job = d.job(&f)
		case 4<<3 | number:
			r.Existing = protowire.DecodeBool(f.number)
		case 5<<3 | data:
			if r.Picture == nil {
				r.Picture = &polymathv1.Job{}
			}
			merge(&f, r.Picture)
		case 6<<3 | data:
			r.Session = f.data
		}
	}
	return f.err
}

func (d *decoder) grant(from []byte, g *polymathv1.Grant) error {
	f := fields{rest: from}
	for f.next() {
		switch f.key {
		case 1<<3 | data:
			g.Session = f.data
		case 2<<3 | data:
			g.Token = f.data
		case 3<<3 | data:
			g.Job = d.job(&f)
		case 4<<3 | data:
			g.Function = d.name(&f)
		case 5<<3 | data:
			g.Input = f.data
		case 6<<3 | number:
			g.From = f.number
		case 7<<3 | number:
			g.To = f.number
		case 8<<3 | number:
			g.Attempt = uint32(f.number)
		case 9<<3 | number:
			g.Micros = f.number
		case 10<<3 | number:
			g.LongestRun = uint32(f.number)
		case 11<<3 | number:
			g.Speculative = protowire.DecodeBool(f.number)
		}
	}
	return f.err
}
