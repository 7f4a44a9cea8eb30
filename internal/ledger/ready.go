package ledger

import (
	"container/heap"
)

// ready is the jobs that an offer has something to lease of. Nearly all come in
// the order in which they are served, and leave from the front: those stand in
// a line, where neither looks at another job. One that belongs before the last
// in line, because of its priority or because something of it came back, is in
// a heap beside the line.
//
//	add ──> line, if it is served after the last there
//	   └──> heap, else
//	first: of the two in front, the one that is served before the other
type ready struct {
	line jobLine
	late jobHeap
}

// place says where a job stands: n >= 0 is in the heap, inLine - n in the line.
const (
	nowhere = -1
	inLine  = -2
)

func (r *ready) len() int { return r.line.jobs + len(r.late) }

// first is the job to serve next, or nil.
func (r *ready) first() *job {
	front := r.line.front()
	if len(r.late) > 0 && (front == nil || r.late[0].before(front)) {
		return r.late[0]
	}
	return front
}

func (r *ready) add(j *job) {
	if back := r.line.back(); back == nil || back.before(j) {
		r.line.push(j)
	} else {
		heap.Push(&r.late, j)
	}
}

func (r *ready) remove(j *job) {
	if j.place <= inLine {
		r.line.remove(j)
	} else {
		heap.Remove(&r.late, int(j.place))
	}
}

// has reports whether a job is where its place says.
func (r *ready) has(j *job) bool {
	if n := inLine - int(j.place); n >= 0 {
		return n < len(r.line.ring) && r.line.ring[n] == j
	}
	return j.place >= 0 && int(j.place) < len(r.late) && r.late[j.place] == j
}

// inOrder reports whether line and heap are what they should be.
func (r *ready) inOrder() bool {
	q := &r.line
	jobs := 0
	var last *job
	for i := range q.span {
		j := q.ring[q.slot(i)]
		if j == nil {
			continue
		}
		if last != nil && !last.before(j) {
			return false
		}
		last = j
		jobs++
	}
	for i := 1; i < len(r.late); i++ {
		if r.late.Less(i, (i-1)/2) {
			return false
		}
	}
	return jobs == q.jobs && (q.span == 0) == (q.jobs == 0) && (q.span == 0 || q.front() != nil && q.back() != nil)
}

// minRing is the least room for a line: a power of two.
const minRing = 8

// jobLine is a line of jobs in a ring. One that leaves from the middle leaves a
// hole; the first and the last are jobs.
type jobLine struct {
	ring []*job // a power of two
	head int    // where the first is
	span int    // from the first to the last, holes included
	jobs int
}

func (q *jobLine) slot(i int) int { return (q.head + i) & (len(q.ring) - 1) }

func (q *jobLine) front() *job {
	if q.span == 0 {
		return nil
	}
	return q.ring[q.head]
}

func (q *jobLine) back() *job {
	if q.span == 0 {
		return nil
	}
	return q.ring[q.slot(q.span-1)]
}

func (q *jobLine) push(j *job) {
	if q.span == len(q.ring) {
		q.move()
	}
	n := q.slot(q.span)
	q.ring[n] = j
	j.place = int32(inLine - n)
	q.span++
	q.jobs++
}

// move makes a ring with room for as many jobs again, and leaves the holes.
func (q *jobLine) move() {
	size := minRing
	for size < 2*q.jobs {
		size *= 2
	}
	ring := make([]*job, size)
	n := 0
	for i := range q.span {
		if j := q.ring[q.slot(i)]; j != nil {
			ring[n], j.place = j, int32(inLine-n)
			n++
		}
	}
	q.ring, q.head, q.span = ring, 0, n
}

func (q *jobLine) remove(j *job) {
	q.ring[inLine-int(j.place)] = nil
	j.place = nowhere
	q.jobs--
	for q.span > 0 && q.ring[q.head] == nil {
		q.head = q.slot(1)
		q.span--
	}
	for q.span > 0 && q.back() == nil {
		q.span--
	}
	if q.span == 0 && len(q.ring) > keptRing { // what a million jobs took
		q.ring, q.head = nil, 0
	}
}

// keptRing is the most room that an empty line keeps.
const keptRing = 1 << 14

// jobHeap is a heap of ready jobs, the next to serve on top.
type jobHeap []*job

func (h jobHeap) Len() int           { return len(h) }
func (h jobHeap) Less(i, k int) bool { return h[i].before(h[k]) }
func (h jobHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].place, h[k].place = int32(i), int32(k)
}

// Push is for container/heap.
func (h *jobHeap) Push(x any) {
	j := x.(*job)
	j.place = int32(len(*h))
	*h = append(*h, j)
}

// Pop is for container/heap.
func (h *jobHeap) Pop() any {
	last := len(*h) - 1
	j := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	j.place = nowhere
	return j
}
