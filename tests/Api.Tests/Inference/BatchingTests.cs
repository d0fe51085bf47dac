using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>The worker's half: what runs together, proved by the run ledger, and that everybody gets what is theirs.</summary>
public sealed class BatchingTests
{
    [Fact]
    public async Task Given_a_run_in_progress_When_requests_come_Then_they_leave_in_runs_of_max_batch_size()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("slow", 3000);

        var waiting = Enumerable.Range(1, 20).Select(i => server.Client.InferAsync("slow", Bodies.Sleep(i))).ToArray();
        await active.ReachAsync(21);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        foreach (var (answer, at) in (await Task.WhenAll(waiting)).Select((a, i) => (a, i)))
            Assert.Equal([at + 1], answer.MustBe(200).Data<int>("OUT"));
        (await blocker).MustBe(200);
        Assert.Equal([1, 8, 8, 4], server.RunSizes("slow"));
    }

    [Fact]
    public async Task Given_requests_of_several_rows_When_they_share_a_run_Then_their_rows_count()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("slow", 3000);

        var waiting = Enumerable.Range(1, 4).Select(i => server.Client.InferAsync("slow", Bodies.In("INT32", i, i, i))).ToArray();
        await active.ReachAsync(5);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        foreach (var (answer, at) in (await Task.WhenAll(waiting)).Select((a, i) => (a, i + 1)))
            Assert.Equal([at, at, at], answer.MustBe(200).Data<int>("OUT"));
        (await blocker).MustBe(200);
        Assert.Equal([1, 2, 2], server.RunSizes("slow")); // 3 + 3 of 8; a third would make 9
    }

    [Fact]
    public async Task Given_more_rows_than_max_batch_size_When_inferred_Then_the_request_runs_alone_and_whole()
    {
        await using var server = await MillraceServer.StartAsync();
        using var active = new ActiveRequests(server);
        var many = Enumerable.Range(1, 20).ToArray();
        var blocker = await server.OccupyAsync("slow", 3000);

        var large = server.Client.InferAsync("slow", Bodies.Infer(Bodies.Tensor("IN", "INT32", [20], many)));
        var small = server.Client.InferAsync("slow", Bodies.Sleep(5));
        await active.ReachAsync(3);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        Assert.Equal(many, (await large).MustBe(200).Data<int>("OUT"));
        (await small).MustBe(200).MustGive<int>("OUT", 5);
        (await blocker).MustBe(200);
        Assert.Equal([1, 1, 1], server.RunSizes("slow"));
    }

    [Fact]
    public async Task Given_a_delay_and_a_preferred_size_When_so_many_wait_Then_they_leave_together_and_at_once()
    {
        using var models = ModelFolder.With(("slow", """{"max_batch_size":8,"instances":2,"preferred_batch_sizes":[4],"max_queue_delay_microseconds":10000000}"""));
        await using var server = await MillraceServer.StartAsync(models.Path);
        using var active = new ActiveRequests(server);
        var parameters = new { timeout = 8_000_000 }; // less than the delay

        var first = Enumerable.Range(1, 3).Select(i => server.Client.InferAsync("slow", Calls.Sleep(i, parameters))).ToArray();
        await active.ReachAsync(3);
        var last = await server.Client.InferAsync("slow", Calls.Sleep(4, parameters));

        last.MustBe(200).MustGive<int>("OUT", 4);
        foreach (var (answer, at) in (await Task.WhenAll(first)).Select((a, i) => (a, i + 1)))
            answer.MustBe(200).MustGive<int>("OUT", at);
        Assert.Equal([4], server.RunSizes("slow"));
    }

    [Fact]
    public async Task Given_a_delay_When_no_company_comes_Then_the_request_leaves_alone()
    {
        using var models = ModelFolder.With(("slow", """{"max_batch_size":8,"instances":1,"max_queue_delay_microseconds":20000}"""));
        await using var server = await MillraceServer.StartAsync(models.Path);

        (await server.Client.InferAsync("slow", Bodies.Sleep(7))).MustBe(200).MustGive<int>("OUT", 7);

        Assert.Equal([1], server.RunSizes("slow"));
    }

    [Fact]
    public async Task Given_a_delay_longer_than_the_deadline_When_no_company_comes_Then_the_deadline_holds()
    {
        using var models = ModelFolder.With(("slow", """{"max_batch_size":8,"instances":1,"max_queue_delay_microseconds":10000000}"""));
        await using var server = await MillraceServer.StartAsync(models.Path);

        (await server.Client.InferAsync("slow", Calls.Sleep(5, new { timeout = 100_000 }))).MustBe(504, "deadline_exceeded");

        Assert.Empty(server.RunSizes("slow"));
    }

    [Fact]
    public async Task Given_preferred_sizes_When_more_wait_Then_batches_have_the_largest_that_they_fill()
    {
        using var models = ModelFolder.With(("slow", """{"max_batch_size":8,"instances":1,"preferred_batch_sizes":[2,4]}"""));
        await using var server = await MillraceServer.StartAsync(models.Path);
        using var active = new ActiveRequests(server);
        var blocker = await server.OccupyAsync("slow", 3000);

        var waiting = Enumerable.Range(1, 7).Select(i => server.Client.InferAsync("slow", Bodies.Sleep(i))).ToArray();
        await active.ReachAsync(8);

        Assert.False(blocker.IsCompleted, "The blocking run should have outlasted the arrivals.");
        foreach (var answer in await Task.WhenAll(waiting))
            answer.MustBe(200);
        Assert.Equal([1, 4, 2, 1], server.RunSizes("slow"));
        (await blocker).MustBe(200);
    }

    [Fact]
    public async Task Given_a_model_without_batching_When_many_requests_wait_Then_each_runs_alone()
    {
        await using var server = await MillraceServer.StartAsync();

        var answers = await Task.WhenAll(Enumerable.Range(1, 20).Select(i => server.Client.InferAsync("sleep", Bodies.Sleep(i))));

        Assert.Equal(Enumerable.Range(1, 20), answers.Select(a => a.MustBe(200).Data<int>("OUT").Single()));
        Assert.Equal(Enumerable.Repeat(1, 20), server.RunSizes("sleep"));
    }

    [Fact]
    public async Task Given_a_hundred_parallel_callers_When_their_requests_share_runs_Then_each_gets_its_own_rows()
    {
        await using var server = await MillraceServer.StartAsync();

        await Waiting.UntilAsync(async () =>
        {
            await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
            {
                var rows = 1 + (i % 3);
                var a = Enumerable.Range(0, 4 * rows).Select(at => (1000f * i) + at).ToArray();
                var b = Enumerable.Range(0, 4 * rows).Select(at => i - (0.5f * at)).ToArray();
                var answer = (await server.Client.InferAsync("pair", Calls.Pair(a, b))).MustBe(200);
                Assert.Equal([rows, 4], answer.Shape("SUM"));
                Assert.Equal(a.Zip(b, (x, y) => x + y), answer.Data<float>("SUM"));
                Assert.Equal(a.Zip(b, (x, y) => x - y), answer.Data<float>("DIFF"));
            }));
            return server.RunSizes("pair").Any(size => size > 2);
        }, "requests have shared a run", 60);
    }

    [Fact]
    public async Task Given_callers_that_ask_for_different_outputs_When_they_share_a_run_Then_each_gets_what_it_asked_for()
    {
        await using var server = await MillraceServer.StartAsync();
        string[][] wishes = [[], ["DIFF"], ["SUM"], ["DIFF", "SUM"]];

        await Waiting.UntilAsync(async () =>
        {
            await Task.WhenAll(Enumerable.Range(0, 80).Select(async i =>
            {
                var a = Bodies.Tensor("A", "FP32", [1, 4], new[] { i, i, i, i });
                var b = Bodies.Tensor("B", "FP32", [1, 4], new[] { 1, 2, 3, 4 });
                var wish = wishes[i % wishes.Length];
                object[] inputs = i % 2 == 0 ? [a, b] : [b, a];
                var answer = (await server.Client.InferAsync("pair", new { inputs, outputs = wish.Select(name => new { name }) })).MustBe(200);
                Assert.Equal(wish.Length == 0 ? ["SUM", "DIFF"] : wish, answer.OutputNames());
                foreach (var name in answer.OutputNames())
                    Assert.Equal(Enumerable.Range(1, 4).Select(n => (float)(name == "SUM" ? i + n : i - n)), answer.Data<float>(name));
            }));
            return server.RunSizes("pair").Any(size => size > 2);
        }, "requests have shared a run", 60);
    }

    [Fact]
    public async Task Given_requests_of_different_shapes_When_they_wait_together_Then_they_do_not_share_a_run()
    {
        using var models = ModelFolder.With(("wide", """{"instances":1}"""));
        await using var server = await MillraceServer.StartAsync(models.Path, "Millrace:Sync:Outstanding=1");

        await Waiting.UntilAsync(async () =>
        {
            await Task.WhenAll(Enumerable.Range(0, 90).Select(async i =>
            {
                var width = 1 + (i % 3);
                var row = Enumerable.Repeat((float)i, width).ToArray();
                var answer = await server.Client.InferAsync("wide", Bodies.Infer(Bodies.Tensor("IN", "FP32", [1, width], row)));
                Assert.Equal([(float)i * width], answer.MustBe(200).Data<float>("SUM"));
            }));
            return server.RunSizes("wide").Any(size => size > 2);
        }, "requests have shared a run", 60);

        var ran = server.Runs("wide").SelectMany(r => r).Select(r => r.Id).ToArray();
        Assert.Equal(ran.Length, ran.Distinct().Count()); // a run of mixed shapes fails, and its requests would have run once more
    }

    [Fact]
    public async Task Given_a_bad_request_in_a_batch_When_the_run_fails_Then_only_the_bad_one_is_refused()
    {
        using var models = ModelFolder.With(("pick", """{"instances":1}"""));
        await using var server = await MillraceServer.StartAsync(models.Path, "Millrace:Sync:Outstanding=1");

        await Waiting.UntilAsync(async () =>
        {
            await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
            {
                var answer = await server.Client.InferAsync("pick", Bodies.In("INT64", i % 20 == 7 ? 50 : i % 10));
                if (i % 20 == 7)
                    answer.MustBe(400, "invalid_tensor");
                else
                    Assert.Equal([10f * (i % 10)], answer.MustBe(200).Data<float>("OUT"));
            }));
            return server.Runs("pick").SelectMany(r => r).GroupBy(r => r.Id).Any(g => g.Count() > 1);
        }, "a batch had a bad request in it", 60);
    }

    [Fact]
    public async Task Given_rows_counted_by_the_model_When_requests_share_a_run_Then_it_saw_the_rows_of_all()
    {
        using var models = ModelFolder.With(("rows", """{"instances":1,"max_batch_size":16}"""));
        await using var server = await MillraceServer.StartAsync(models.Path, "Millrace:Sync:Outstanding=1");
        var most = 0L;

        await Waiting.UntilAsync(async () =>
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i =>
                server.Client.InferAsync("rows", Bodies.Infer(Bodies.Tensor("IN", "FP32", [2, 4], Enumerable.Repeat(i, 8))))));
            foreach (var (answer, at) in answers.Select((a, i) => (a.MustBe(200), i)))
            {
                Assert.Equal([4f * at, 4f * at], answer.Data<float>("SUM"));
                var rows = answer.Data<long>("ROWS");
                Assert.Equal(rows[0], rows[1]);
                Assert.InRange(rows[0], 2, 16);
                most = Math.Max(most, rows[0]);
            }
            return most > 2;
        }, "requests have shared a run", 60);

        Assert.Equal(most, 2 * server.RunSizes("rows").Max());
        var alone = (await server.Client.InferAsync("rows", Bodies.Infer(Bodies.Tensor("IN", "FP32", [100, 4], new float[400])))).MustBe(200);
        Assert.Equal(Enumerable.Repeat(100L, 100), alone.Data<long>("ROWS"));
    }
}
