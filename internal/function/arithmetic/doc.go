// Package arithmetic adds, subtracts, multiplies, divides and raises to a
// power, exactly.
//
// Numbers are whole or decimal and of any size up to number.MaxDigits. What
// can go wrong (a division by zero, a result of too many digits) is found when
// a job is planned, so that its units never fail. A quotient whose decimal
// digits do not end is kept as a fraction; the answer shows it rounded and
// exact side by side, and so says itself that it was rounded.
package arithmetic
