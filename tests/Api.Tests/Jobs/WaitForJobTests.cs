using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>Reads that are held until a job ends.</summary>
public sealed class WaitForJobTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(50)]
    public async Task Given_a_job_that_ends_within_the_wait_When_read_Then_the_answer_comes_with_its_end()
    {
        await using var server = await MillraceServer.StartAsync();
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(1000));
        var started = TimeProvider.System.GetTimestamp();

        var answer = (await server.Client.FetchAsync($"/v1/jobs/{id}?wait=60")).MustBe(200);

        Assert.Equal("succeeded", (string?)answer.Json["state"]);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0, 30);
    }

    [Fact]
    [Conformance(50)]
    public async Task Given_a_job_that_goes_on_When_the_wait_is_over_Then_200_shows_it_running_and_never_304()
    {
        await using var server = await MillraceServer.StartAsync();
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => m["timeout"] = 3600);
        await server.Client.UntilAsync(id, "running");
        var tag = (await server.Client.FetchAsync($"/v1/jobs/{id}")).Header("ETag")!;
        var started = TimeProvider.System.GetTimestamp();

        var answer = (await server.Client.FetchAsync($"/v1/jobs/{id}?wait=3", ("If-None-Match", tag), ("Prefer", "wait=60"))).MustBe(200);

        Assert.Equal("running", (string?)answer.Json["state"]);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 3, 30);
        var preferred = (await server.Client.FetchAsync($"/v1/jobs/{id}", ("Prefer", "wait=1"))).MustBe(200);
        Assert.Equal(("running", "wait=1"), ((string?)preferred.Json["state"], preferred.Header("Preference-Applied")));
        Assert.Equal("running", (string?)(await server.Client.FetchAsync($"/v1/jobs/{id}?wait=0")).MustBe(200).Json["state"]);
        (await server.Client.CancelAsync(id)).MustBe(200);
    }

    [Theory]
    [Conformance(50)]
    [InlineData("-1")]
    [InlineData("x")]
    [InlineData("")]
    [InlineData("1.5")]
    public async Task Given_a_wait_that_is_no_number_of_seconds_When_read_Then_400(string wait)
    {
        var id = await fixture.Client.SubmitAsync("ident_fp32", JobCalls.Fast);
        (await fixture.Client.FetchAsync($"/v1/jobs/{id}?wait={wait}")).MustBe(400, "invalid_request");
        (await fixture.Client.FetchAsync($"/v1/jobs/{id}?wait=99999999999")).MustBe(200); // clamped
    }

    [Fact]
    [Conformance(51)]
    public async Task Given_500_waiters_on_one_job_When_it_ends_Then_all_are_answered_and_meanwhile_others_are_fast()
    {
        await using var server = await MillraceServer.StartAsync();
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => m["timeout"] = 3600);
        await server.Client.UntilAsync(id, "running");
        var waiters = Enumerable.Range(0, 500).Select(_ => server.Client.FetchAsync($"/v1/jobs/{id}?wait=60")).ToArray();

        var started = TimeProvider.System.GetTimestamp();
        for (var at = 0; at < 10; at++)
        {
            (await server.Client.FetchAsync($"/v1/jobs/{id}")).MustBe(200);
            (await server.Client.PostAsync("/v2/models/ident_fp32/infer", JobCalls.Fast)).MustBe(200);
        }
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0, 20);
        Assert.DoesNotContain(waiters, w => w.IsCompleted);

        (await server.Client.CancelAsync(id)).MustBe(200);
        var ended = TimeProvider.System.GetTimestamp();
        var answers = await Task.WhenAll(waiters);
        Assert.InRange(TimeProvider.System.GetElapsedTime(ended).TotalSeconds, 0, 10);
        Assert.All(answers, a => Assert.Equal("canceled", (string?)a.MustBe(200).Json["state"]));
    }

    [Fact]
    [Conformance(50)]
    public async Task Given_a_waiter_that_leaves_When_the_job_ends_Then_the_others_are_answered()
    {
        await using var server = await MillraceServer.StartAsync();
        var id = await server.Client.SubmitAsync("sleep", Bodies.Sleep(600_000), m => m["timeout"] = 3600);
        await server.Client.UntilAsync(id, "running");
        using var leaving = new CancellationTokenSource();
        var left = server.Client.GetAsync($"/v1/jobs/{id}?wait=60", leaving.Token);
        var stayed = server.Client.FetchAsync($"/v1/jobs/{id}?wait=60");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);

        (await server.Client.CancelAsync(id)).MustBe(200);

        Assert.Equal("canceled", (string?)(await stayed).MustBe(200).Json["state"]);
    }
}
