// Package bench measures the product against its promises and its peers. It is
// a module of its own, so that the clients of peers never reach the product.
//
// Each directory below is one program: `make bench-NAME` runs bench/NAME and
// finishes within five minutes on two cores; `make soak-NAME` runs
// bench/soak/NAME, which looks for what only many repetitions find.
//
// A program prints what it measured as lines of the form
//
//	bar NAME VALUE
//
// on standard output, where NAME says the topic, the quantity and its unit
// (core/jobs-s, memory/billion-tasks-mb) and VALUE is a decimal number.
// Everything else it prints, such as the machine, the settings and the spread
// of the runs, is for people. A program that could not measure exits non-zero
// and prints no bar: a number that was not measured is worse than none.
package bench
