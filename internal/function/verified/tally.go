package verified

import (
	"context"
	"math/big"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/certificate"
	"github.com/polymath-run/polymath/internal/function"
)

// tally is what the units add up to, in one number of slots. Adding two
// tallies adds every slot, as none can overflow:
//
//	slot 0       units that were sieved
//	slot 1       pi(to), packed by the function that found it
//	slot 2       pi(from-1), the same
//	slot 3+2i    part i: its primes
//	slot 4+2i    part i: the checksums of its units
type tally struct {
	slots []*big.Int
}

const (
	slotBits = 160 // a packed count of the formula has up to 128
	slots    = 3 + 2*maxParts
)

func newTally() *tally {
	t := &tally{make([]*big.Int, slots)}
	for i := range t.slots {
		t.slots[i] = new(big.Int)
	}
	return t
}

func (t *tally) add(slot int, n uint64) {
	t.slots[slot].Add(t.slots[slot], new(big.Int).SetUint64(n))
}

func (t *tally) units() *big.Int         { return t.slots[0] }
func (t *tally) point(i int) *big.Int    { return t.slots[1+i] }
func (t *tally) count(i int) *big.Int    { return t.slots[3+2*i] }
func (t *tally) checksum(i int) *big.Int { return t.slots[4+2*i] }

// runUnits sieves units of part i one by one, so that each has its checksum.
func (t *tally) runUnits(ctx context.Context, i int, p part, task function.Task) error {
	sub := function.Task{Input: task.Input}
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		sub.Progress = func(uint64) { task.Progress(unit - task.Interval.From) } // alive within the unit
		sub.Interval = polymath.Interval{From: unit, To: unit + 1}
		output, err := p.Run(ctx, sub)
		if err != nil {
			return err
		}
		n, err := counted(output)
		if err != nil {
			return err
		}
		t.add(0, 1)
		t.add(3+2*i, n)
		t.add(4+2*i, uint64(certificate.Checksum(unit, n)))
		task.Progress(unit + 1 - task.Interval.From)
	}
	return nil
}

// runPoint runs units of the formula of point i.
func (t *tally) runPoint(ctx context.Context, i int, p part, task function.Task) error {
	output, err := p.Run(ctx, task)
	if err != nil {
		return err
	}
	n, ok := new(big.Int).SetString(string(output), 10)
	if !ok || n.Sign() < 0 || n.BitLen() > slotBits {
		return polymath.Errorf(polymath.Internal, "the formula gives %.80q", output)
	}
	t.point(i).Add(t.point(i), n)
	return nil
}

// pack makes one number of the slots, in decimal.
func (t *tally) pack() []byte {
	sum := new(big.Int)
	for _, slot := range slices.Backward(t.slots) {
		sum.Lsh(sum, slotBits).Add(sum, slot)
	}
	return []byte(sum.String())
}

// check refuses a tally of so many units that would not add up with others: a
// slot of it could overflow, or that of a point could be none of the formula's.
func (t *tally) check(units uint64) error {
	const perUnit, pointUnits = 64, 96 // bits: the most a unit adds to a slot; where a point counts its units
	most := new(big.Int).Lsh(new(big.Int).SetUint64(units), perUnit)
	for i, slot := range t.slots {
		n := slot
		if i == 1 || i == 2 {
			counted := new(big.Int).Rsh(slot, pointUnits)
			if counted.Cmp(new(big.Int).SetUint64(units)) > 0 {
				return polymath.Errorf(polymath.InvalidArgument, "a point counts %d units of %d", counted, units)
			}
			n = new(big.Int).Sub(slot, counted.Lsh(counted, pointUnits))
		}
		if n.Cmp(most) > 0 {
			return polymath.Errorf(polymath.InvalidArgument, "slot %d of the tally, %.40s, is more than %d units make", i, n, units)
		}
	}
	if t.units().Cmp(new(big.Int).SetUint64(units)) > 0 {
		return polymath.Errorf(polymath.InvalidArgument, "%.40s units were sieved of %d", t.units(), units)
	}
	return nil
}

// unpack reads the accumulator of a job; an empty one has nothing.
func unpack(accumulator []byte) (*tally, error) {
	t := newTally()
	if len(accumulator) == 0 {
		return t, nil
	}
	sum, ok := new(big.Int).SetString(string(accumulator), 10)
	if !ok || sum.Sign() < 0 || sum.BitLen() > slots*slotBits {
		return nil, polymath.Errorf(polymath.Internal, "accumulator %.80q is no tally", accumulator)
	}
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), slotBits), big.NewInt(1))
	for _, slot := range t.slots {
		slot.And(sum, mask)
		sum.Rsh(sum, slotBits)
	}
	return t, nil
}
