// Calls a server through Go's net/rpc/jsonrpc.
//
//	go run main.go HOST PORT
package main

import (
	"fmt"
	"log"
	"net"
	"net/rpc/jsonrpc"
	"os"
	"strings"
)

type Args struct{ A, B int }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	client, err := jsonrpc.Dial("tcp", net.JoinHostPort(os.Args[1], os.Args[2]))
	check(err)
	var sum int
	check(client.Call("Calculator.Add", Args{3, 5}, &sum))
	if sum != 8 {
		log.Fatal(sum)
	}
	check(client.Call("Calculator.Add", [2]int{40, 2}, &sum))
	if sum != 42 {
		log.Fatal(sum)
	}
	var count int
	check(client.Call("Calculator.CountUp", struct{}{}, &count))
	if count != 1 {
		log.Fatal(count)
	}
	err = client.Call("Calculator.Subtract", Args{3, 5}, &sum)
	if err == nil || !strings.Contains(err.Error(), "no method") {
		log.Fatal(err)
	}
	err = client.Call("Calculator.Divide", struct{ Dividend, Divisor int }{7, 0}, &sum)
	if err == nil || err.Error() != `{"ByZero":{"dividend":7}}` {
		log.Fatal(err)
	}
	calls := make([]*int, 100)
	done := make(chan error)
	for n := range calls {
		calls[n] = new(int)
		go func(n int) { done <- client.Call("Calculator.Add", Args{n, n}, calls[n]) }(n)
	}
	for range calls {
		check(<-done)
	}
	for n, sum := range calls {
		if *sum != 2*n {
			log.Fatal(n, *sum)
		}
	}
	check(client.Close())
	fmt.Println("go: ok")
}
