package main

import (
	"strings"

	"github.com/polymath-run/polymath"
)

// unknown is the error for a name that is none of the known ones, with those
// that were probably meant; without any such, with all of them.
func unknown(kind, name string, known []string) error {
	if meant := near(name, known); len(meant) > 0 {
		return polymath.Errorf(polymath.InvalidArgument, "there is no %s %.40q: did you mean %s?", kind, name, strings.Join(meant, " or "))
	}
	return polymath.Errorf(polymath.InvalidArgument, "there is no %s %.40q: there are %s", kind, name, strings.Join(known, ", "))
}

// near are the known names that are like a name.
func near(name string, known []string) (like []string) {
	for _, k := range known {
		if distance(name, k) <= max(1, len(name)/3) || len(name) > 1 && strings.HasPrefix(k, name) {
			like = append(like, k)
		}
	}
	return like
}

// distance is how many letters must be inserted, deleted, changed or swapped
// with their neighbour to make b of a (Damerau, 1964).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
