//go:build !race

package server

// underRace tells that the race detector slows everything down about tenfold.
const underRace = false
