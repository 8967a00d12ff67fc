// The same operations on boost.fiber. Usage: peer OPERATION ROUNDS; prints how many nanoseconds the rounds took.
//
// With round_robin, its fastest scheduler, on one thread; stacks of the same size from a pool of its own. One round, or turn, goes before
// the measured ones.
#include <boost/fiber/all.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace fibers = boost::fibers;
using Clock = std::chrono::steady_clock;
using Channel = fibers::buffered_channel<std::uint64_t>;

constexpr std::size_t stack_size = 64 << 10;
fibers::pooled_fixedsize_stack stacks(stack_size);

template <typename F> auto spawn(F &&f) { return fibers::fiber(fibers::launch::post, std::allocator_arg, stacks, std::forward<F>(f)); }

Clock::duration yield(std::uint64_t rounds) {
    auto longest = Clock::duration::zero();
    std::vector<fibers::fiber> all;
    for (int n = 0; n < 1000; ++n) {
        all.push_back(spawn([&] {
            boost::this_fiber::yield();
            auto start = Clock::now();
            for (std::uint64_t i = 0; i < rounds; ++i) boost::this_fiber::yield();
            longest = std::max(longest, Clock::now() - start);
        }));
    }
    for (auto &one : all) one.join();
    return longest;
}

Clock::duration channel(std::uint64_t rounds) {
    Channel there(2), back(2); // The smallest that it has: a power of two, one of which it keeps free.
    auto echo = spawn([&] {
        for (std::uint64_t n; there.pop(n) == fibers::channel_op_status::success;) back.push(n);
    });
    auto play = [&](std::uint64_t rounds) {
        for (std::uint64_t n = 0, answer; n < rounds; ++n) {
            there.push(n);
            back.pop(answer);
        }
    };
    play(1);
    auto start = Clock::now();
    play(rounds);
    auto elapsed = Clock::now() - start;
    there.close();
    echo.join();
    return elapsed;
}

Clock::duration spawn_and_join(std::uint64_t rounds, std::uint64_t count) {
    // Its fiber returns nothing, and a future would allocate once more: each adds up what it has.
    std::uint64_t sum = 0;
    std::vector<fibers::fiber> all;
    all.reserve(count);
    auto play = [&](std::uint64_t rounds) {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            for (std::uint64_t n = 0; n < count; ++n) all.push_back(spawn([&sum, n] { sum += n; }));
            for (auto &one : all) one.join();
            all.clear();
        }
    };
    play(1);
    auto start = Clock::now();
    play(rounds);
    auto elapsed = Clock::now() - start;
    if (sum != (rounds + 1) * count * (count - 1) / 2) std::abort();
    return elapsed;
}

int main(int, char **arguments) {
    const std::string operation = arguments[1];
    const std::uint64_t rounds = std::strtoull(arguments[2], nullptr, 10);
    const auto took = operation == "yield"       ? yield(rounds)
                      : operation == "channel"   ? channel(rounds)
                      : operation == "spawn one" ? spawn_and_join(rounds, 1)
                                                 : spawn_and_join(rounds, 900);
    std::printf("%lld\n", static_cast<long long>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
}
