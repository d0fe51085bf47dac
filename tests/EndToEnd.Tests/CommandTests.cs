using Millrace.Tests.Support;
using Millrace.Tests.Support.Servers;

namespace Millrace.EndToEnd.Tests;

/// <summary>What a release does before its processes: the schema, the models, their queues; and what looks at them after.</summary>
public sealed class CommandTests(RabbitFixture rabbit, PostgresFixture postgres) : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _store = postgres.NewSchema();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_no_worker_yet_When_models_were_announced_Then_the_API_takes_work_for_them_and_a_worker_that_comes_later_does_it()
    {
        await using var cluster = new Cluster(rabbit.Url, _store, Repository.TestModels);
        string[] servers = [$"--Millrace:Store:Url={_store}", $"--Millrace:Broker:Url={rabbit.Url}", $"--Millrace:Broker:Prefix={cluster.Prefix}", "--Millrace:Store:AllowNotDurable=true"];
        Assert.Contains("up to date", await MillraceProcess.CommandAsync(MillraceProcess.Api, 0, ["migrate", $"--Millrace:Store:Url={_store}"]), StringComparison.Ordinal);
        var announced = await MillraceProcess.CommandAsync(MillraceProcess.Worker, 0, ["announce", .. servers, $"--Millrace:Models:Path={Repository.TestModels}"]);
        Assert.Contains("announced stepper version 2", announced, StringComparison.Ordinal);
        Assert.Contains("announced cold version 1 as unavailable", announced, StringComparison.Ordinal);

        var api = await cluster.StartApiAsync();
        await Waiting.UntilAsync(async () => (await api.Client.FetchAsync("/v2/models/stepper/ready")).Status == 200, "the API knows the models");
        Assert.Equal(0, (await Scrape.OfAsync(api.Management)).Sum("millrace_workers"));
        var job = (await api.Client.PostAsync("/v1/jobs", Bodies.Job("stepper", Bodies.In("FP32", 1)))).MustBe(202).Header("Location");
        var request = api.Client.PostAsync("/v2/models/stepper/infer", Bodies.In("FP32", 1)); // waits for a worker to start

        var worker = await cluster.StartWorkerAsync();
        await Cluster.ReadyAsync(worker);
        (await request).MustBe(200);
        Assert.Equal("succeeded", (string?)(await api.Client.FetchAsync($"{job}?wait=60")).MustBe(200).Json["state"]);
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(api.Management)).Sum("millrace_workers", ("model", "stepper")) == 1, "the worker is counted");
    }

    [Fact]
    public async Task Given_a_worker_that_stands_by_When_work_comes_Then_it_is_ready_and_takes_none()
    {
        await using var cluster = new Cluster(rabbit.Url, _store, Repository.TestModels);
        var api = await cluster.StartApiAsync();
        await Cluster.ReadyAsync(await cluster.StartWorkerAsync("Millrace:Worker:Standby=true"));
        Assert.Equal(0, (await Scrape.OfAsync(api.Management)).Sum("millrace_workers"));
        (await api.Client.FetchAsync("/v2/models/stepper")).MustBe(404, "model_not_found"); // it announced nothing
    }

    [Fact]
    [Attack(58)]
    public async Task Given_addresses_in_files_When_started_Then_they_are_read_and_the_environment_wins()
    {
        await using var cluster = new Cluster(rabbit.Url, _store, Repository.TestModels);
        File.WriteAllText(Path.Combine(_folder.Path, "MILLRACE__STORE__URL"), _store + "\n");
        File.WriteAllText(Path.Combine(_folder.Path, "namespace"), "not ours");
        (string, string) secrets = ("MILLRACE_SECRETS", _folder.Path);
        Assert.Contains("up to date", await MillraceProcess.CommandAsync(MillraceProcess.Api, 0, ["migrate"], secrets), StringComparison.Ordinal);
        Assert.Contains("Millrace:Store:Url", await MillraceProcess.CommandAsync(MillraceProcess.Api, 1, ["migrate"], secrets, ("MILLRACE__STORE__URL", "postgres://")), StringComparison.Ordinal);
        Assert.Contains("not set", await MillraceProcess.CommandAsync(MillraceProcess.Api, 1, ["migrate"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_a_process_When_asked_for_its_health_by_the_command_Then_the_exit_code_tells()
    {
        await using var process = await MillraceProcess.StartAsync($"Millrace:Store:Path={_folder.Path}/data", $"Millrace:Models:Path={Repository.TestModels}");
        (string, string) address = ("MILLRACE__MANAGEMENT__URL", process.Management.BaseAddress!.ToString().TrimEnd('/'));
        await Waiting.UntilAsync(async () => (await process.Management.FetchAsync("/health/ready")).Status == 200, "it is ready");
        Assert.Equal("", await MillraceProcess.CommandAsync(MillraceProcess.Standalone, 0, ["health"], address));
        process.Signal(MillraceProcess.Kill);
        await process.ExitAsync();
        Assert.Contains("nothing answers", await MillraceProcess.CommandAsync(MillraceProcess.Standalone, 1, ["health"], address), StringComparison.Ordinal);
        Assert.Contains("Millrace:Management:Url", await MillraceProcess.CommandAsync(MillraceProcess.Standalone, 1, ["health"]), StringComparison.Ordinal);
    }
}
