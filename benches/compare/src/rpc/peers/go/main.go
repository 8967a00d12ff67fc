// Go's net/rpc, with gob and with JSON. Built by the comparison with `go build` if there is a Go toolchain. Callers are goroutines.
//
// Usage: go-rpc serve gob|json WORKERS
//
//	go-rpc call gob|json WORKERS ADDRESS
//
// The client follows orders from its input as client.rs does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type Args struct{ A, B int64 }

type Calculator struct{}

func (Calculator) Add(args *Args, sum *int64) error {
	*sum = args.A + args.B
	return nil
}

func serve(codec string) {
	if err := rpc.Register(Calculator{}); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	for {
		conn, err := listener.Accept() // It comes with TCP_NODELAY.
		if err != nil {
			log.Fatal(err)
		}
		if codec == "json" {
			go jsonrpc.ServeConn(conn)
		} else {
			go rpc.ServeConn(conn)
		}
	}
}

func dial(codec, address string) *rpc.Client {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	if codec == "json" {
		return jsonrpc.NewClient(conn)
	}
	return rpc.NewClient(conn)
}

func add(client *rpc.Client) {
	var sum int64
	if err := client.Call("Calculator.Add", &Args{3, 5}, &sum); err != nil {
		log.Fatal(err)
	}
	if sum != 8 {
		log.Fatalf("3 + 5 = %d", sum)
	}
}

func main() {
	log.SetFlags(0)
	workers, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(workers)
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	follow(func() *rpc.Client { return dial(os.Args[2], os.Args[4]) })
}

// What follows is client.rs and window.rs in Go.

type order struct {
	Connect  *struct{ Total int }
	Exchange *struct {
		Calls   uint64
		Callers callers
	}
	Start *struct{ Callers callers }
}

type callers struct{ Number, Outstanding int }

// What callers do with an answer.
const (
	warmUp int32 = iota
	counted
	over
)

func follow(dial func() *rpc.Client) {
	var clients []*rpc.Client
	var phase int32
	var calling sync.WaitGroup
	var began time.Time
	var mutex sync.Mutex
	var latencies []int64 // In nanoseconds.

	// A caller's outstanding calls are made by as many goroutines.
	start := func(who callers, goesOn func(made uint64) bool) {
		for _, client := range clients {
			for i := 0; i < who.Number*who.Outstanding; i++ {
				calling.Add(1)
				go func(client *rpc.Client) {
					defer calling.Done()
					var mine []int64
					since := time.Now()
					for made := uint64(0); goesOn(made); made += uint64(who.Outstanding) {
						add(client)
						now := time.Now()
						if atomic.LoadInt32(&phase) == counted {
							mine = append(mine, int64(now.Sub(since)))
						}
						since = now
					}
					mutex.Lock()
					latencies = append(latencies, mine...)
					mutex.Unlock()
				}(client)
			}
		}
	}

	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		var word string
		var o order
		if json.Unmarshal(line, &word) != nil {
			if err := json.Unmarshal(line, &o); err != nil {
				log.Fatal(err)
			}
		}
		switch {
		case o.Connect != nil:
			for len(clients) < o.Connect.Total {
				clients = append(clients, dial())
				add(clients[len(clients)-1])
			}
			fmt.Println("done")
		case o.Exchange != nil:
			start(o.Exchange.Callers, func(made uint64) bool { return made < o.Exchange.Calls })
			calling.Wait()
			fmt.Println("done")
		case o.Start != nil:
			atomic.StoreInt32(&phase, warmUp)
			latencies = nil
			start(o.Start.Callers, func(uint64) bool { return atomic.LoadInt32(&phase) != over })
		case word == "Count":
			began = time.Now()
			atomic.StoreInt32(&phase, counted)
			fmt.Println("done")
		case word == "Stop":
			seconds := time.Since(began).Seconds()
			atomic.StoreInt32(&phase, over)
			calling.Wait()
			if err := json.NewEncoder(os.Stdout).Encode(calls(latencies, seconds)); err != nil {
				log.Fatal(err)
			}
		default:
			log.Fatalf("no order: %s", line)
		}
	}
}

func calls(latencies []int64, seconds float64) map[string]any {
	sort.Slice(latencies, func(i, j int) bool { return latencies[i] < latencies[j] })
	at := func(quantile float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		index := int(math.Ceil(quantile*float64(len(latencies)))) - 1
		if index < 0 {
			index = 0
		}
		return float64(latencies[index]) / 1e3
	}
	total := 0.0
	for _, latency := range latencies {
		total += float64(latency) / 1e3
	}
	return map[string]any{
		"per_second": float64(len(latencies)) / seconds,
		"latency": map[string]float64{
			"mean_us": total / math.Max(1, float64(len(latencies))),
			"p50_us":  at(0.5),
			"p90_us":  at(0.9),
			"p99_us":  at(0.99),
			"p999_us": at(0.999),
			"max_us":  at(1),
		},
	}
}
