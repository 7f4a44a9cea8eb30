package wal

// aheadPart is which part of a segment is used when the file of the next one is
// begun: early enough for a disk that writes zeros three times as fast as the
// log grows, and late enough to leave logs that hardly grow at one file.
const aheadPart = 4

// goAhead has the file of the next segment made, if that was asked for and there
// will be none. A file that cannot be made is tried again when it is needed.
func (l *Log) goAhead() {
	s := l.active()
	if l.options.Go == nil || l.making != nil || l.ahead == s.generation || s.end < s.size/aheadPart ||
		l.spare() >= 0 || l.first > l.segments[0].generation {
		return
	}
	l.ahead = s.generation
	next, made := l.draft(), make(chan *segment, 1)
	l.making = made
	fs := l.options.FS
	l.options.Go(func() {
		if err := next.fill(fs); err != nil {
			next = nil
		}
		made <- next
	})
}

// made waits for the file that is being made, nil if there is none.
func (l *Log) made() *segment {
	if l.making == nil {
		return nil
	}
	s := <-l.making
	l.making = nil
	return s
}
