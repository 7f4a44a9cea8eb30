// Package montecarlo estimates pi by throwing random points into the unit
// square and counting those within the quarter circle.
//
// Every unit is a fixed block of points drawn by a generator of its own, keyed
// by the seed and the number of the unit. So the estimate depends on the seed
// and the number of samples only, never on who ran what.
package montecarlo
