using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Tests.Models;
using Millrace.Storage.Models;
using Millrace.Tests.Support;
using static Millrace.Storage.Announcements.ModelState;

namespace Millrace.Api.Tests.Grpc;

/// <summary>The extensions about models: as over HTTP. The workers that load here do what the test says.</summary>
public sealed class RepositoryTests
{
    [Fact]
    public async Task Given_an_unload_and_a_load_When_the_worker_has_done_them_Then_they_are_answered_and_readiness_follows()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        var worker = new FakeWorker(server, "w");
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await worker.SeenAsync("ghost", "READY");

        var request = new RepositoryModelUnloadRequest { ModelName = "ghost" };
        request.Parameters.Add("unload_dependents", new ModelRepositoryParameter { BoolParam = false });
        var unload = client.Service.RepositoryModelUnloadAsync(request, client.Options);
        var wish = await worker.WishAsync("ghost", loaded: false);
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Unavailable, wish, "unloaded on request"));
        await unload;
        Assert.False((await client.Service.ModelReadyAsync(new ModelReadyRequest { Name = "ghost" }, client.Options)).Ready);
        var failure = await client.Infer(Messages.RawIn("ghost", "FP32", 1f)).MustFailAsync(StatusCode.Unavailable, "model_not_ready");
        Assert.Contains("unloaded on request", failure.Status.Detail, StringComparison.Ordinal);

        var load = client.Service.RepositoryModelLoadAsync(new RepositoryModelLoadRequest { ModelName = "ghost" }, client.Options);
        wish = await worker.WishAsync("ghost", loaded: true);
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, wish));
        await load;
        Assert.True((await client.Service.ModelReadyAsync(new ModelReadyRequest { Name = "ghost" }, client.Options)).Ready);
        var audit = (await server.Client.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray().Select(e => $"{e!["action"]} {e["target"]}").ToArray();
        Assert.Superset(new HashSet<string> { "model.load ghost", "model.unload ghost" }, audit.ToHashSet());
    }

    [Fact]
    [Attack(44)]
    public async Task Given_a_model_sent_along_or_one_that_no_worker_has_When_a_load_is_asked_for_Then_it_is_refused()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Repository:FindTimeout=00:00:00.200");
        using var client = new GrpcClient(server);
        foreach (var (name, value) in new (string, ModelRepositoryParameter)[]
        {
            ("config", new ModelRepositoryParameter { StringParam = "{}" }), ("file:1/model.onnx", new ModelRepositoryParameter { BytesParam = ByteString.CopyFrom(1, 2) }),
            ("unload_dependents", new ModelRepositoryParameter { StringParam = "yes" }),
        })
        {
            var load = new RepositoryModelLoadRequest { ModelName = "pair" };
            load.Parameters.Add(name, value);
            await client.Service.RepositoryModelLoadAsync(load, client.Options).MustFailAsync(StatusCode.InvalidArgument, "invalid_request");
        }
        Assert.Empty(await server.Services.GetRequiredService<IModelStore>().ReadWishesAsync(TestContext.Current.CancellationToken));
        await client.Service.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = "nope" }, client.Options).MustFailAsync(StatusCode.NotFound, "model_not_found");
        await client.Service.RepositoryModelLoadAsync(new RepositoryModelLoadRequest { ModelName = "../x" }, client.Options).MustFailAsync(StatusCode.NotFound, "model_not_found");
    }

    [Fact]
    public async Task Given_models_batched_and_not_When_their_configuration_is_read_Then_it_is_that_of_v2()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        foreach (var model in (string[])["pair", "fixed", "str", "ident_bf16", "wide"])
        {
            var config = (await client.Service.ModelConfigAsync(new ModelConfigRequest { Name = model }, client.Options)).Config;
            var json = (await server.Client.FetchAsync($"/v2/models/{model}/config")).MustBe(200).Json;
            Assert.Equal(((string?)json["name"], (string?)json["platform"], (string?)json["backend"], (int)json["max_batch_size"]!), (config.Name, config.Platform, config.Backend, config.MaxBatchSize));
            Assert.Equal(json["input"]!.AsArray().Select(i => $"{i!["name"]} {i["data_type"]} {string.Join(",", i["dims"]!.AsArray())} {i["reshape"] is not null}"),
                config.Input.Select(i => $"{i.Name} {Name(i.DataType)} {string.Join(",", i.Dims)} {i.Reshape is not null}"));
            Assert.Equal((int)json["instance_group"]![0]!["count"]!, config.InstanceGroup[0].Count);
            Assert.Equal(json["dynamic_batching"] is not null, config.DynamicBatching is not null);
            Assert.Equal(ModelVersionPolicy.PolicyChoiceOneofCase.All, config.VersionPolicy.PolicyChoiceCase);
            Assert.Equal((string?)json["parameters"]!["sha256"]!["string_value"], config.Parameters["sha256"].StringValue);
        }
        await client.Service.ModelConfigAsync(new ModelConfigRequest { Name = "cold" }, client.Options).MustFailAsync(StatusCode.Unavailable, "model_not_ready");
        await client.Service.ModelConfigAsync(new ModelConfigRequest { Name = "pair", Version = "9" }, client.Options).MustFailAsync(StatusCode.NotFound, "model_not_found");

        static string Name(DataType type) => "TYPE_" + type.ToString()["Type".Length..].ToUpperInvariant();
    }

    [Fact]
    public async Task Given_reports_of_workers_When_statistics_are_read_Then_they_are_those_of_v2()
    {
        await using var server = await MillraceServer.StartAsync();
        using var client = new GrpcClient(server);
        var counted = new VersionStatistics
        {
            Model = "ghost",
            Version = "1",
            LastInference = 1_700_000_000_000,
            InferenceCount = 3,
            ExecutionCount = 1,
            Success = new CountAndTime(1, 10),
            Queue = new CountAndTime(1, 1),
            Batches = [new BatchStatistics(3, new CountAndTime(1, 2), new CountAndTime(1, 3), new CountAndTime(1, 4))],
            MemoryBytes = 99,
        };
        var worker = new FakeWorker(server, "w");
        await worker.AnnounceAsync(FakeWorker.Version("ghost", Ready, 0));
        await worker.SeenAsync("ghost", "READY");
        await server.Services.GetRequiredService<IModelStore>().ReportAsync("w", [counted], TestContext.Current.CancellationToken);

        var all = await client.Service.ModelStatisticsAsync(new ModelStatisticsRequest(), client.Options);
        var one = Assert.Single((await client.Service.ModelStatisticsAsync(new ModelStatisticsRequest { Name = "ghost", Version = "1" }, client.Options)).ModelStats);

        Assert.Equal((await server.Client.FetchAsync("/v2/models/stats")).MustBe(200).Json["model_stats"]!.AsArray().Select(s => $"{s!["name"]} {s["version"]}"), all.ModelStats.Select(s => $"{s.Name} {s.Version}"));
        Assert.Equal((1_700_000_000_000ul, 3ul, 1ul), (one.LastInference, one.InferenceCount, one.ExecutionCount));
        Assert.Equal(new StatisticDuration { Count = 1, Ns = 10 }, one.InferenceStats.Success);
        Assert.Equal(new InferBatchStatistics { BatchSize = 3, ComputeInput = new() { Count = 1, Ns = 2 }, ComputeInfer = new() { Count = 1, Ns = 3 }, ComputeOutput = new() { Count = 1, Ns = 4 } }, Assert.Single(one.BatchStats));
        Assert.Equal(99ul, Assert.Single(one.MemoryUsage).ByteSize);
        await client.Service.ModelStatisticsAsync(new ModelStatisticsRequest { Name = "nope" }, client.Options).MustFailAsync(StatusCode.NotFound, "model_not_found");
        await client.Service.ModelStatisticsAsync(new ModelStatisticsRequest { Version = "1" }, client.Options).MustFailAsync(StatusCode.InvalidArgument, "invalid_request");
    }
}
