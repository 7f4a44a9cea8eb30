package factor

import (
	"context"
	"math/big"
)

// walk follows x -> x^2 + c modulo n, as cycle does for words.
type walk struct {
	*search
	n, c       *big.Int
	x, y       big.Int
	square, by big.Int // scratch
}

// step goes one step.
func (w *walk) step() {
	w.square.Mul(&w.y, &w.y)
	w.square.Add(&w.square, w.c)
	w.by.QuoRem(&w.square, w.n, &w.y)
}

// spend takes up to most of the steps that are left, after a look at ctx.
func (w *walk) spend(ctx context.Context, most uint64) (uint64, error) {
	most = min(most, w.steps)
	w.steps -= most
	return most, ctx.Err()
}

// cycle gives a factor of n, n itself where all of its factors showed at once,
// nil when the steps are used up.
func (w *walk) cycle(ctx context.Context) (*big.Int, error) {
	var start, product, difference big.Int
	w.y.SetUint64(2)
	for length := uint64(1); ; length *= 2 {
		w.x.Set(&w.y)
		for done := uint64(0); done < length; {
			steps, err := w.spend(ctx, min(batch, length-done))
			if err != nil || steps == 0 {
				return nil, err
			}
			for range steps {
				w.step()
			}
			done += steps
		}
		for done := uint64(0); done < length; {
			steps, err := w.spend(ctx, min(batch, length-done))
			if err != nil || steps == 0 {
				return nil, err
			}
			start.Set(&w.y)
			product.SetUint64(1)
			for range steps {
				w.step()
				product.Mul(&product, difference.Sub(&w.x, &w.y))
				w.by.QuoRem(&product, w.n, &product)
			}
			done += steps
			if d := new(big.Int).GCD(nil, nil, product.Abs(&product), w.n); d.BitLen() != 1 {
				w.y.Set(&start)
				return w.retrace(), nil
			}
		}
	}
}

// retrace goes through a batch again, one by one.
func (w *walk) retrace() *big.Int {
	var difference big.Int
	for {
		w.step()
		difference.Sub(&w.x, &w.y)
		if d := new(big.Int).GCD(nil, nil, difference.Abs(&difference), w.n); d.BitLen() != 1 {
			return d
		}
	}
}
