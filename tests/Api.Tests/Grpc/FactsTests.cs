using Grpc.Core;
using Millrace.Api.Grpc.Protos;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Grpc;

/// <summary>What the server says of itself and of its models: as under /v2.</summary>
public sealed class FactsTests(ServerFixture fixture) : IDisposable
{
    private readonly GrpcClient _client = new(fixture.Server);

    public void Dispose() => _client.Dispose();

    [Fact]
    [Conformance(38)]
    public async Task Given_a_started_server_When_asked_Then_it_is_live_and_ready_and_names_itself_as_under_v2()
    {
        Assert.True((await _client.Service.ServerLiveAsync(new ServerLiveRequest(), _client.Options)).Live);
        Assert.True((await _client.Service.ServerReadyAsync(new ServerReadyRequest(), _client.Options)).Ready);
        var metadata = await _client.Service.ServerMetadataAsync(new ServerMetadataRequest(), _client.Options);
        var json = (await fixture.Client.FetchAsync("/v2")).MustBe(200).Json;
        Assert.Equal((string?)json["name"], metadata.Name);
        Assert.Equal((string?)json["version"], metadata.Version);
        Assert.Equal(json["extensions"]!.AsArray().Select(e => (string)e!), metadata.Extensions);
    }

    [Theory]
    [Conformance(38)]
    [InlineData("pair", "")]
    [InlineData("stepper", "1")]
    public async Task Given_a_model_When_its_metadata_is_read_Then_it_is_that_of_v2(string model, string version)
    {
        var metadata = await _client.Service.ModelMetadataAsync(new ModelMetadataRequest { Name = model, Version = version }, _client.Options);
        var json = (await fixture.Client.FetchAsync(version.Length == 0 ? $"/v2/models/{model}" : $"/v2/models/{model}/versions/{version}")).MustBe(200).Json;
        Assert.Equal((string?)json["name"], metadata.Name);
        Assert.Equal((string?)json["platform"], metadata.Platform);
        Assert.Equal(json["versions"]!.AsArray().Select(v => (string)v!), metadata.Versions);
        Assert.Equal(Tensors("inputs"), metadata.Inputs.Select(Text));
        Assert.Equal(Tensors("outputs"), metadata.Outputs.Select(Text));
        Assert.Equal(json["properties"]!.AsObject().ToDictionary(p => p.Key, p => (string?)p.Value), metadata.Properties.ToDictionary(p => p.Key, p => (string?)p.Value));
        Assert.True((await _client.Service.ModelReadyAsync(new ModelReadyRequest { Name = model, Version = version }, _client.Options)).Ready);

        IEnumerable<string> Tensors(string which) => json[which]!.AsArray().Select(t => $"{t!["name"]} {t["datatype"]} [{string.Join(",", t["shape"]!.AsArray())}]");
        static string Text(ModelMetadataResponse.Types.TensorMetadata tensor) => $"{tensor.Name} {tensor.Datatype} [{string.Join(",", tensor.Shape)}]";
    }

    [Fact]
    [Conformance(38, 41)]
    public async Task Given_a_model_that_never_loaded_When_asked_Then_not_ready_is_an_answer_and_its_metadata_are_unavailable()
    {
        Assert.False((await _client.Service.ModelReadyAsync(new ModelReadyRequest { Name = "cold" }, _client.Options)).Ready);
        var failure = await _client.Service.ModelMetadataAsync(new ModelMetadataRequest { Name = "cold" }, _client.Options).MustFailAsync(StatusCode.Unavailable, "model_not_ready");
        Assert.Equal("5000", failure.Trailers.GetValue("grpc-retry-pushback-ms"));
        await _client.Infer(Messages.RawIn("cold", "FP32", 1f)).MustFailAsync(StatusCode.Unavailable, "model_not_ready");
    }

    [Fact]
    [Conformance(38, 41)]
    public async Task Given_a_model_or_version_that_is_not_there_When_asked_Then_not_found()
    {
        await _client.Service.ModelReadyAsync(new ModelReadyRequest { Name = "nope" }, _client.Options).MustFailAsync(StatusCode.NotFound, "model_not_found");
        await _client.Service.ModelReadyAsync(new ModelReadyRequest { Name = "pair", Version = "99" }, _client.Options).MustFailAsync(StatusCode.NotFound, "model_not_found");
        await _client.Service.ModelMetadataAsync(new ModelMetadataRequest { Name = "nope" }, _client.Options).MustFailAsync(StatusCode.NotFound, "model_not_found");
        await _client.Infer(Messages.RawIn("nope", "FP32", 1f)).MustFailAsync(StatusCode.NotFound, "model_not_found");
        await _client.Infer(Messages.RawIn("a/b", "FP32", 1f)).MustFailAsync(StatusCode.NotFound, "model_not_found");
        await _client.Infer(Messages.RawIn("", "FP32", 1f)).MustFailAsync(StatusCode.NotFound, "model_not_found");
    }

    [Fact]
    public async Task Given_the_repository_When_its_index_is_read_Then_it_is_that_of_v2_and_may_be_of_what_is_ready_alone()
    {
        var index = await _client.Service.RepositoryIndexAsync(new RepositoryIndexRequest(), _client.Options);
        var json = (await fixture.Client.PostAsync("/v2/repository/index", "")).MustBe(200).Json.AsArray();
        Assert.Equal(json.Select(e => $"{e!["name"]} {e["version"]} {e["state"]} {e["reason"]}"), index.Models.Select(m => $"{m.Name} {m.Version} {m.State} {m.Reason}"));
        Assert.Contains(index.Models, m => m is { Name: "cold", State: "UNAVAILABLE", Reason.Length: > 0 });
        var ready = await _client.Service.RepositoryIndexAsync(new RepositoryIndexRequest { Ready = true }, _client.Options);
        Assert.DoesNotContain(ready.Models, m => m.Name == "cold");
        Assert.Contains(ready.Models, m => m.Name == "pair");
    }
}
