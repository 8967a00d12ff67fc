// The same operations on goroutines. Usage: peer OPERATION ROUNDS; prints how many nanoseconds the rounds took.
//
// On one processor, as the fibers are on one worker. One round, or turn, goes before the measured ones.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func main() {
	runtime.GOMAXPROCS(1)
	rounds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	operations := map[string]func(int) time.Duration{
		"yield":     yield,
		"channel":   channel,
		"spawn one": func(rounds int) time.Duration { return spawn(rounds, 1) },
		"spawn 900": func(rounds int) time.Duration { return spawn(rounds, 900) },
	}
	fmt.Println(operations[os.Args[1]](rounds).Nanoseconds())
}

func yield(rounds int) time.Duration {
	const fibers = 1000
	took := make(chan time.Duration, fibers)
	for range [fibers]struct{}{} {
		go func() {
			runtime.Gosched()
			start := time.Now()
			for i := 0; i < rounds; i++ {
				runtime.Gosched()
			}
			took <- time.Since(start)
		}()
	}
	longest := time.Duration(0)
	for range [fibers]struct{}{} {
		if one := <-took; one > longest {
			longest = one
		}
	}
	return longest
}

func channel(rounds int) time.Duration {
	there, back := make(chan uint64, 1), make(chan uint64, 1)
	go func() {
		for n := range there {
			back <- n
		}
	}()
	play := func(rounds int) {
		for n := 0; n < rounds; n++ {
			there <- uint64(n)
			<-back
		}
	}
	play(1)
	start := time.Now()
	play(rounds)
	defer close(there)
	return time.Since(start)
}

// A goroutine has no handle to join. The cheapest substitute: a place for its result, and one group to wait for.
func spawn(rounds, fibers int) time.Duration {
	results := make([]uint64, fibers)
	sum := uint64(0)
	var group sync.WaitGroup
	play := func(rounds int) {
		for i := 0; i < rounds; i++ {
			group.Add(fibers)
			for n := range results {
				go func(n int) {
					results[n] = uint64(n)
					group.Done()
				}(n)
			}
			group.Wait()
			for _, result := range results {
				sum += result
			}
		}
	}
	play(1)
	start := time.Now()
	play(rounds)
	elapsed := time.Since(start)
	if sum != uint64(rounds+1)*uint64(fibers)*uint64(fibers-1)/2 {
		panic("a result is missing")
	}
	return elapsed
}
