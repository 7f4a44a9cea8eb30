package wal

// request is one waiting append.
type request struct {
	record Record
	err    error
	done   chan struct{} // gets a token when record.Index or err is set; never full
}

func newRequest() any { return &request{done: make(chan struct{}, 1)} }

// fitting is how many of the requests a batch of at most limit bytes can hold.
func fitting(requests []*request, limit int) int {
	size := 0
	for i, r := range requests {
		size += Span(len(r.record.Payload))
		if size > limit {
			return i
		}
	}
	return len(requests)
}
