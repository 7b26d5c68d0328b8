package hll

import (
	"encoding/binary"
	"fmt"
	"math"
)

// SelfTest checks the access to registers and the error of the estimates, in some milliseconds.
func SelfTest() error {
	if err := testRegisters(); err != nil {
		return err
	}
	return testEstimates()
}

// testRegisters writes registers in a mixed order and reads all of them in both ways.
func testRegisters() error {
	b, err := ToDense(AppendNew(nil))
	if err != nil {
		return err
	}
	var want [registers]uint8
	x := uint64(1)
	for range 10 * registers {
		x = x*6364136223846793005 + 1442695040888963407
		i, run := int(x>>32%registers), uint8(x>>58)
		want[i] = run
		putDense(b, i, run)
	}
	var u Union
	u.mergeDense(b)
	for i, run := range want {
		if got := denseAt(b, i); got != run || u.regs[i] != run {
			return fmt.Errorf("register %d should be %d but is %d and %d", i, run, got, u.regs[i])
		}
	}
	return nil
}

// testEstimates adds elements to a sparse and to a dense value.
func testEstimates() error {
	const last = 100_000
	const relative = 1.04 / (1 << (indexBits / 2)) // the standard error
	thin := AppendNew(nil)
	wide, err := ToDense(AppendNew(nil))
	if err != nil {
		return err
	}
	var elem [8]byte
	check := 1
	for n := 1; n <= last; n++ {
		binary.LittleEndian.PutUint64(elem[:], uint64(n)^0x5ca1ab1e00000000)
		if thin, _, err = Add(thin, elem[:], 3000); err != nil {
			return err
		}
		if wide, _, err = Add(wide, elem[:], 3000); err != nil {
			return err
		}
		if n != check {
			continue
		}
		check *= 10
		card, err := Count(wide)
		if err != nil {
			return err
		}
		if other, err := Count(thin); err != nil || other != card {
			return fmt.Errorf("sparse and dense disagree about %d elements: %d and %d, %v", n, other, card, err)
		}
		if d := math.Abs(float64(card) - float64(n)); d > math.Ceil(6*relative*float64(n)) {
			return fmt.Errorf("the estimate of %d elements is wrong by %.0f", n, d)
		}
	}
	return nil
}
