package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func BenchmarkGeoSearch(b *testing.B) {
	h := newHarness(b)
	c := h.conn(2)
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < 1_000_000; i += 100 {
		var line strings.Builder
		line.WriteString("GEOADD geo")
		for j := range 100 {
			lon, lat := r.Float64()*360-180, r.Float64()*170-85
			if r.IntN(2) == 0 {
				lon, lat = 10+r.NormFloat64()*8, max(-85, min(85, 50+r.NormFloat64()*5))
			}
			fmt.Fprintf(&line, " %.7f %.7f member:%d", lon, lat, i+j)
		}
		h.do(c, line.String())
	}
	for _, q := range []string{"BYRADIUS 1 km", "BYRADIUS 10 km ASC", "BYRADIUS 100 km", "BYRADIUS 100 km ASC COUNT 10 WITHDIST",
		"BYBOX 200 200 km WITHDIST WITHCOORD", "BYRADIUS 2000 km COUNT 10", "BYRADIUS 20000 km COUNT 1000 DESC"} {
		args := [][]byte{}
		for _, w := range strings.Fields("GEOSEARCH geo FROMLONLAT 10 50 " + q) {
			args = append(args, []byte(w))
		}
		b.Run(q, func(b *testing.B) {
			for b.Loop() {
				h.run(c, args)
			}
		})
	}
}
