package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRow does random things to a row and to a sorted slice, in the manners that streams have and in none.
func TestRow(t *testing.T) {
	for manner, name := range []string{"queue", "stack", "anywhere", "backwards"} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(manner)))
			var row row[int]
			var model []ID
			grow := true
			for step := range 5000 {
				n := len(model)
				if n > 700 {
					grow = false
				} else if n < 5 {
					grow = true
				}
				if r.IntN(4) > 0 == grow || n == 0 {
					id := ID{uint64(1000000 + step), 0}
					switch manner {
					case 2:
						id = ID{uint64(r.IntN(2000)), uint64(r.IntN(2))}
					case 3:
						id = ID{uint64(1000000 - step), 0}
					}
					i, found := slices.BinarySearchFunc(model, id, ID.Compare)
					if row.has(id) != found {
						t.Fatalf("step %d: has(%v), want %v", step, id, found)
					}
					if !found {
						row.insert(id, int(id.Ms))
						model = slices.Insert(model, i, id)
					}
				} else {
					i := r.IntN(n)
					switch manner {
					case 0:
						i = 0
					case 1, 3:
						i = n - 1
					}
					p, found := row.seek(model[i])
					if !found {
						t.Fatalf("step %d: %v is not found", step, model[i])
					}
					p = row.remove(p)
					model = slices.Delete(model, i, i+1)
					if i == n-1 != (p == row.end()) || i < n-1 && row.key(p) != model[i] {
						t.Fatalf("step %d: after the key removed is place %v", step, p)
					}
				}
				if err := row.check(); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				if step%16 != 0 {
					continue
				}
				if err := sameRow(&row, model); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				if step%512 == 0 {
					c := row.clone()
					if err := sameRow(&c, model); err != nil {
						t.Fatalf("step %d: clone: %v", step, err)
					}
				}
			}
			for len(model) > 0 {
				i := r.IntN(len(model))
				if !row.delete(model[i]) || row.delete(model[i]) {
					t.Fatalf("%v is not there once", model[i])
				}
				model = slices.Delete(model, i, i+1)
			}
			if err := sameRow(&row, nil); err != nil || row.mem > 2048 {
				t.Fatalf("empty: %v, %d bytes", err, row.mem)
			}
		})
	}
}

func sameRow(r *row[int], model []ID) error {
	if err := r.check(); err != nil {
		return err
	}
	p := r.start()
	for i, id := range model {
		if p == r.end() || r.key(p) != id || *r.val(p) != int(id.Ms) {
			return fmt.Errorf("key %d is not %v", i, id)
		}
		p = r.next(p)
	}
	if p != r.end() {
		return fmt.Errorf("keys after the last")
	}
	if len(model) == 0 {
		return nil
	}
	i, ok := len(model), true
	for p, ok = r.prev(p); ok; p, ok = r.prev(p) {
		if i--; r.key(p) != model[i] {
			return fmt.Errorf("key %d backwards is not %v", i, model[i])
		}
	}
	if i != 0 {
		return fmt.Errorf("%d keys are not met backwards", i)
	}
	return nil
}
