package history

// endedSpans is the spans that ended, numbered without gaps. They lie in
// chunks, so that filling them copies nothing and forgetting is cheap.
type endedSpans struct {
	base   uint64 // the number of the first span there ever was
	first  uint64 // the number of the first span in chunks
	used   int    // spans in the last chunk
	chunks []*[chunkSpans]Span
	spare  *[chunkSpans]Span // the chunk forgotten last
}

func newEndedSpans(now int64) endedSpans {
	base := uint64(max(now, 0)) * cursorsPerMilli
	return endedSpans{base: base, first: base}
}

// next is the number of the span to come.
func (e *endedSpans) next() uint64 {
	if len(e.chunks) == 0 {
		return e.first
	}
	return e.first + uint64((len(e.chunks)-1)*chunkSpans+e.used)
}

// at is the span with a number, which must be there.
func (e *endedSpans) at(number uint64) *Span {
	i := number - e.first
	return &e.chunks[i/chunkSpans][i%chunkSpans]
}

func (e *endedSpans) push(s Span) {
	if len(e.chunks) == 0 || e.used == chunkSpans {
		if len(e.chunks) == maxEnded/chunkSpans {
			e.forget()
		}
		c := e.spare
		if e.spare = nil; c == nil {
			c = new([chunkSpans]Span)
		}
		e.chunks, e.used = append(e.chunks, c), 0
	}
	e.chunks[len(e.chunks)-1][e.used] = s
	e.used++
}

// forget drops the oldest chunk.
func (e *endedSpans) forget() {
	end := e.first + chunkSpans
	if len(e.chunks) == 1 {
		end, e.used = e.next(), 0
	}
	e.first, e.spare = end, e.chunks[0]
	clear(e.spare[:]) // lets go of the names
	n := copy(e.chunks, e.chunks[1:])
	e.chunks[n] = nil
	e.chunks = e.chunks[:n]
}

// expire drops the chunks whose last span ended before a time; all of them:
// gives the memory back.
func (e *endedSpans) expire(before int64) {
	for len(e.chunks) > 0 {
		last := e.next() - 1
		if len(e.chunks) > 1 {
			last = e.first + chunkSpans - 1
		}
		if e.at(last).Ended >= before {
			return
		}
		e.forget()
	}
	e.spare, e.chunks = nil, nil
}

// page copies up to limit spans that ended at a time or later, from a cursor
// on: the number of the first span that its owner has not seen, or 0.
func (e *endedSpans) page(since int64, after uint64, limit int) SpanPage {
	begin, end := e.first, e.next()
	for begin < end && e.at(begin).Ended < since {
		begin++
	}
	p := SpanPage{Gap: after != 0 && (after < begin || after > end)}
	if after >= begin && after <= end {
		begin = after
	}
	p.Next = min(begin+uint64(max(limit, 0)), end)
	p.More = p.Next < end
	for n := begin; n < p.Next; n++ {
		p.Spans = append(p.Spans, *e.at(n))
	}
	return p
}
