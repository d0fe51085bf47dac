using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;

namespace Millrace.EndToEnd.Tests.Distributed;

/// <summary>A model that fails for some inputs: its failures are found together, and run again on a version that does not.</summary>
public sealed class MendedModelTests(PostgresFixture postgres, RabbitFixture rabbit) : IDisposable
{
    private readonly TemporaryFolder _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public async Task Given_a_model_that_fails_for_some_inputs_When_a_new_version_is_there_Then_its_failures_are_replayed_in_bulk_and_the_originals_stay()
    {
        Put("pick", "1"); // knows ten values, and fails for any other
        await using var cluster = new Cluster(rabbit.Url, postgres.NewSchema(), _models.Path);
        cluster.Settings.Add("Logging:LogLevel:Default=Error");
        var api = await cluster.StartApiAsync();
        var worker = await cluster.StartWorkerAsync();
        await Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v2/models/pick/ready")).Status == 200, "the model is ready");
        var jobs = new List<string>();
        for (var at = 0; at < 30; at++)
            jobs.Add((await api.Client.PostAsync("/v1/jobs", Bodies.Job("pick", Bodies.In("INT64", at % 3 == 0 ? 3 : 50 + at)))).MustBe(202).Header("Location")!);
        foreach (var job in jobs)
            await api.Client.FetchAsync($"{job}?wait=60");
        var group = Assert.Single((await api.Client.FetchAsync("/v1/failures?model=pick")).MustBe(200).Json["data"]!.AsArray())!;
        Assert.Equal((20, "1"), ((int)group["count"]!, (string?)group["model_version"]));
        var example = $"/v1/jobs/{group["example"]}";
        var before = (await api.Client.FetchAsync(example)).Text;

        Put("ident_int64", "2");
        worker.Signal(MillraceProcess.Terminate);
        Assert.Equal(0, await worker.ExitAsync());
        await cluster.StartWorkerAsync();
        await Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v2/models/pick/versions/2/ready")).Status == 200, "the new version is ready");
        var filter = new { model = "pick", fingerprint = (string)group["fingerprint"]! };
        var plan = (await api.Client.PostAsync("/v1/replays", new { filter, dry_run = true })).MustBe(200).Json;
        Assert.Equal((20, 20), ((int)plan["matched"]!, (int)plan["replayable"]!));
        var replay = (await api.Client.PostAsync("/v1/replays", new { filter, dry_run = false, plan = (string)plan["plan"]!, rate_per_second = 100 })).MustBe(202).Header("Location");
        await Waiting.UntilAsync(async () => (string?)(await api.Client.FetchAsync(replay!)).Json["state"] == "finished", "the replay is finished");

        Assert.Equal(20, (int)(await api.Client.FetchAsync(replay!)).Json["created"]!);
        await Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v1/jobs?model=pick&state=succeeded&limit=200")).Json["data"]!.AsArray().Count == 30, "all have succeeded");
        var made = (await api.Client.FetchAsync($"/v1/jobs?replay_of={group["example"]}")).Json["data"]![0]!;
        Assert.Equal(("2", "succeeded"), ((string?)made["model_version"], (string?)made["state"]));
        Assert.Equal(before, (await api.Client.FetchAsync(example)).Text);
    }

    private void Put(string model, string version)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_models.Path, "pick", version)).FullName;
        File.Copy(Path.Combine(Repository.TestModels, model, "1", "model.onnx"), Path.Combine(folder, "model.onnx"));
    }
}
