// Package journal is the port to a durable, totally ordered sequence of
// entries: the shared log under a ledger. Whether it lies on one disk, on
// three machines or in somebody else's engine, everything above this port is
// the same; so is the suite every adapter passes, journaltest.
package journal

import (
	"context"
	"errors"
	"hash/crc64"

	"github.com/polymath-run/polymath"
)

// Journal is one shard's journal. Its methods are safe for concurrent use.
type Journal interface {
	// Append adds an entry of 1 to Limits().MaxEntry bytes. When it returns
	// nil, the entry is durable under the journal's fault model. An error
	// that wraps ErrNotAppended says that it is not there and will not
	// appear; any other error means that nobody knows: it may be there, now
	// or later, even twice. Concurrent appends are ordered by the journal.
	// When its queue is full, Append blocks until there is room or ctx ends.
	// The caller must not change entry until Append returns.
	Append(ctx context.Context, entry []byte) error

	// Follow hands every entry after an index to yield: once, in order,
	// without gaps, only when it is durable, as many at a time as there are.
	// sum is the Sum of the entry at after, 0 for the zero Index. It returns
	// when ctx ends, with ctx's error; when yield fails, with that error;
	// with ErrTrimmed when entries after that index are gone: take a
	// checkpoint first; with ErrDiverged when the journal does not hold that
	// entry at after: its tail was lost and written anew. What yield gets is
	// valid only during the call.
	Follow(ctx context.Context, after polymath.Index, sum Checksum, yield func([]Record) error) error

	// Tail is an index at or past every Append that returned before Tail
	// was called; the zero Index when there is none.
	Tail(ctx context.Context) (polymath.Index, error)

	// Trim says that entries up to an index are needed no more. It is
	// advisory: they may stay for a while.
	Trim(ctx context.Context, upTo polymath.Index) error

	// Limits are constant for the life of the Journal.
	Limits() Limits

	// Close ends the journal: calls that wait return ErrClosed. It returns
	// when nothing of it runs any more and may be called twice.
	Close() error
}

// Record is an entry where it stands in the journal.
type Record struct {
	Index polymath.Index
	Sum   Checksum
	Entry []byte
}

// Checksum identifies an entry and everything before it: the CRC-64 (ECMA) of
// the entry, continued from the Checksum of the one before. Two journals that
// agree on the checksum at an index agree on what came up to there.
type Checksum uint64

// ecma is constant.
var ecma = crc64.MakeTable(crc64.ECMA)

// Next is the checksum of the entry that follows one with checksum c.
func (c Checksum) Next(entry []byte) Checksum {
	return Checksum(crc64.Update(uint64(c), ecma, entry))
}

// Limits is what a journal promises and what it does not.
type Limits struct {
	MaxEntry  int    // bytes
	Survives  string // what an acknowledged append survives, in words
	PowerLoss bool   // also the loss of power of every node at once
	NodeLoss  bool   // also the loss of one node for ever
}

// The errors of the port; adapters wrap them with what happened.
var (
	ErrNotAppended = errors.New("the entry was not appended")
	ErrTrimmed     = errors.New("the entries asked for were trimmed")
	ErrDiverged    = errors.New("the journal holds another entry there: its tail was lost")
	ErrClosed      = errors.New("the journal is closed")
	// ErrFull wraps ErrNotAppended when there is no space: try again when
	// there is some.
	ErrFull = errors.New("no space left for the journal")
)
