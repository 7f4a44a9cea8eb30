//go:build !race

package sim

// campaignSeeds is how many seeds every change is tried on.
const campaignSeeds = 2_000
