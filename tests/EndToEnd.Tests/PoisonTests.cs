using Millrace.Storage.Jobs;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

public sealed class PoisonTests
{
    private const int Good = 40;

    /// <summary>SIGKILL stands for the kernel's, which comes when a run takes more memory than there is.</summary>
    [Fact]
    public async Task Given_a_job_whose_run_kills_the_process_When_it_shares_batches_Then_it_fails_and_its_neighbours_do_not()
    {
        using var data = new TemporaryFolder();
        var ledger = Path.Combine(data.Path, "ledger");
        string[] settings =
        [
            $"Millrace:Store:Path={data.Path}", $"Millrace:Models:Path={Repository.TestModels}", "Millrace:Models:Names=slow", $"Millrace:Worker:RunLedger={ledger}",
            "Millrace:Worker:Lease=00:00:01", "Millrace:Worker:Backoff=00:00:00.010", "Logging:LogLevel:Default=Error",
        ];
        var poison = Guid.Empty;
        List<string> warm = [], good = [];
        var first = await MillraceProcess.StartAsync(settings);
        try
        {
            await SubmitAsync(first.Client, warm, 40, 1); // until it is known how short runs are, jobs are claimed one by one
            await MustSucceedAsync(first.Client, warm);
            (await first.Client.PostAsync("/v1/queues/slow/pause", new { })).MustBe(200);
            await SubmitAsync(first.Client, good, Good / 2, 20);
            var accepted = (await first.Client.PostAsync("/v1/jobs", Bodies.Job("slow", Bodies.Sleep(5000)))).MustBe(202);
            Assert.True(JobId.TryParse((string)accepted.Json["id"]!, out var id));
            poison = id.Value;
            await SubmitAsync(first.Client, good, Good / 2, 20);
            (await first.Client.PostAsync("/v1/queues/slow/resume", new { })).MustBe(200);
            await KillInRunAsync(first, ledger, poison, attempt: 1);
        }
        finally
        {
            await first.DisposeAsync();
        }
        for (var attempt = 2; attempt <= 3; attempt++)
        {
            await using var next = await MillraceProcess.StartAsync(settings);
            await KillInRunAsync(next, ledger, poison, attempt);
        }

        await using var last = await MillraceProcess.StartAsync(settings);
        await MustSucceedAsync(last.Client, good);
        var end = await last.Client.FetchAsync($"/v1/jobs/{new JobId(poison)}?wait=30");
        Assert.Equal(("failed", "worker_lost", 3), ((string?)end.Json["state"], (string?)end.Json["error"]!["code"], (int)end.Json["attempt"]!));
        var runs = RunLine.Read(ledger).Where(l => l.What == "start" && l.Requests.Any(r => r.Id == poison)).Select(l => l.Requests.Count).ToArray();
        Assert.True(runs[0] > 1, "The poison had no neighbour, so this proves nothing.");
        Assert.Equal([1, 1], runs[1..]);
    }

    private static async Task SubmitAsync(HttpClient client, List<string> jobs, int count, int milliseconds)
    {
        for (var at = 0; at < count; at++)
            jobs.Add((await client.PostAsync("/v1/jobs", Bodies.Job("slow", Bodies.Sleep(milliseconds)))).MustBe(202).Header("Location")!);
    }

    private static async Task MustSucceedAsync(HttpClient client, List<string> jobs)
    {
        foreach (var job in jobs)
            await Waiting.UntilAsync(async () => (string?)(await client.FetchAsync($"{job}?wait=30")).MustBe(200).Json["state"] == "succeeded", $"{job} succeeds", seconds: 60);
    }

    private static async Task KillInRunAsync(MillraceProcess process, string ledger, Guid job, int attempt)
    {
        await Waiting.UntilAsync(() => RunLine.Read(ledger).Any(l => l.What == "start" && l.Requests.Any(r => r.Id == job && r.Attempt == attempt)), $"attempt {attempt} runs", seconds: 60);
        process.Signal(MillraceProcess.Kill);
        Assert.NotEqual(0, await process.ExitAsync());
    }
}
