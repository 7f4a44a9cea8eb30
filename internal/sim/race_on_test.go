//go:build race

package sim

// campaignSeeds is small with the race detector, which makes all slower and
// has nothing to find in a run of one goroutine; CI runs the full number
// without it.
const campaignSeeds = 40
