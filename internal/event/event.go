// Package event is the numbered stream of what happened on a shard, and its
// fan-out to whoever listens.
//
//	Publish ──> ring of the last few thousand ──> Next, at the head
//	                                                 │ fell behind
//	            Source (the archive) ────────────────┘
//
// A listener is a number, the last event it has seen; the hub keeps nothing
// for it. So a slow one costs nothing and blocks nobody: it reads from the
// archive until it has caught up, and where retention was faster than it, it
// is told so. The number of an event never changes, whoever asks, so listeners
// also resume with it after a restart of either side.
package event

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/polymath-run/polymath"
)

// Kind says what an event tells.
type Kind uint8

// The kinds. The numbers are on disk, and are those of the ledger's events:
// never renumber them.
const (
	JobQueued    Kind = 1
	JobStarted   Kind = 2
	JobSucceeded Kind = 3
	JobFailed    Kind = 4
	JobCancelled Kind = 5
	JobDead      Kind = 6 // a unit of the job used up its attempts
	WorkerJoined Kind = 7
	WorkerLeft   Kind = 8
)

// Kinds lists every kind in the order of its number.
func Kinds() []Kind {
	return []Kind{JobQueued, JobStarted, JobSucceeded, JobFailed, JobCancelled, JobDead, WorkerJoined, WorkerLeft}
}

// Type is the CloudEvents type of the kind, "" for an unknown one.
func (k Kind) Type() string {
	switch k {
	case JobQueued:
		return "run.polymath.job.queued.v1"
	case JobStarted:
		return "run.polymath.job.started.v1"
	case JobSucceeded:
		return "run.polymath.job.succeeded.v1"
	case JobFailed:
		return "run.polymath.job.failed.v1"
	case JobCancelled:
		return "run.polymath.job.cancelled.v1"
	case JobDead:
		return "run.polymath.job.dead.v1"
	case WorkerJoined:
		return "run.polymath.worker.joined.v1"
	case WorkerLeft:
		return "run.polymath.worker.left.v1"
	default:
		return ""
	}
}

// Event is something that happened.
type Event struct {
	ID   ID
	Kind Kind
	Job  polymath.JobID // of the job events
	Name string         // the function of a job, the name of a worker
	At   int64          // Unix milliseconds by the proposer's clock, for people
}

// ID numbers an event: the N-th of the entry at Index. IDs of a shard rise in
// the order in which things happened. The zero Index lies before all of them.
type ID struct {
	Shard uint8
	Index polymath.Index
	N     uint32
}

// Compare orders IDs of one shard: -1, 0 or +1.
func (id ID) Compare(o ID) int {
	if c := id.Index.Compare(o.Index); c != 0 {
		return c
	}
	return cmp.Compare(id.N, o.N)
}

// String prints shard:epoch.position:n, the id of server-sent events and of
// CloudEvents.
func (id ID) String() string { return fmt.Sprintf("%d:%v:%d", id.Shard, id.Index, id.N) }

// ParseID reads what String printed. Any other text, also another spelling of
// the same numbers, is an InvalidArgument error.
func ParseID(s string) (ID, error) {
	const longest = 64 // bytes: more than any id has
	bad := polymath.Errorf(polymath.InvalidArgument, "%.*q is no event id: an id looks like 0:1.42:0", longest, s)
	if len(s) > longest {
		return ID{}, bad
	}
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '.' })
	if len(fields) != 4 {
		return ID{}, bad
	}
	var v [4]uint64
	for i, bits := range [4]int{8, 32, 64, 32} {
		x, err := strconv.ParseUint(fields[i], 10, bits)
		if err != nil {
			return ID{}, bad
		}
		v[i] = x
	}
	id := ID{Shard: uint8(v[0]), Index: polymath.Index{Epoch: uint32(v[1]), Position: v[2]}, N: uint32(v[3])}
	if id.String() != s {
		return ID{}, bad
	}
	return id, nil
}
