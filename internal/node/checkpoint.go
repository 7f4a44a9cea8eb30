package node

import (
	"context"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Checkpointing is one image on its way to the disk, a part at a time. The
// order is the law: the archive holds everything up to the image's index
// before the image counts, and the journal is trimmed only up to what the
// store says is safe after that.
type Checkpointing struct {
	core   *Core
	owner  sync.Locker // of the core
	image  *ledger.Image
	writer *checkpoint.Writer
	parts  int
	store  *checkpoint.Store
	flush  func(context.Context) error
	trim   func(context.Context, polymath.Index) error
}

// CheckpointConfig is where a checkpoint goes.
type CheckpointConfig struct {
	Store *checkpoint.Store
	// Flush makes what the archive was given durable.
	Flush func(context.Context) error
	// Trim forgets entries of the journal up to an index.
	Trim func(context.Context, polymath.Index) error
	// Owner guards the core.
	Owner sync.Locker
}

// NewCheckpointing begins an image of the core as it is now.
func NewCheckpointing(c *Core, cfg CheckpointConfig) (*Checkpointing, error) {
	cfg.Owner.Lock()
	image, sum := c.ledger.BeginImage(), c.sum
	cfg.Owner.Unlock()
	w, err := cfg.Store.Begin(checkpoint.Meta{Shard: c.ledger.Shard(), Index: image.Index(), Sum: uint64(sum)})
	if err != nil {
		cfg.Owner.Lock()
		image.End()
		cfg.Owner.Unlock()
		return nil, err
	}
	return &Checkpointing{core: c, owner: cfg.Owner, image: image, writer: w, store: cfg.Store, flush: cfg.Flush, trim: cfg.Trim}, nil
}

// Step writes the next part, or makes the checkpoint count after the last
// one. It reports whether there is more to do.
func (p *Checkpointing) Step(ctx context.Context) (more bool, err error) {
	if p.core.cfg.Fault == TrimUnstored && p.parts == 0 {
		if err := p.trim(ctx, p.image.Index()); err != nil {
			return false, err
		}
	}
	if p.parts < ledger.ImageParts {
		p.parts++
		p.owner.Lock()
		part := p.image.Next()
		p.owner.Unlock()
		if err := p.writer.Part(part); err != nil {
			p.Abort()
			return false, err
		}
		return true, nil
	}
	if p.core.cfg.Fault != SkipFlush {
		if err := p.flush(ctx); err != nil {
			p.Abort()
			return false, err
		}
	}
	if err := p.writer.Commit(); err != nil {
		return false, err
	}
	if upTo := p.store.TrimIndex(); !upTo.IsZero() {
		return false, p.trim(ctx, upTo)
	}
	return false, nil
}

// Abort gives the checkpoint up; the older ones stand.
func (p *Checkpointing) Abort() {
	p.owner.Lock()
	p.image.End()
	p.owner.Unlock()
	p.writer.Abort()
}
