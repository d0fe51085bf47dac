using Millrace.Api.Errors;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Errors;

/// <summary>Where the type of a problem points.</summary>
public sealed class ProblemPageTests(ServerFixture fixture)
{
    public static TheoryData<string> Codes => [.. ErrorCodes.All.Values.Select(e => e.Name)];

    [Theory]
    [MemberData(nameof(Codes))]
    public async Task Given_a_code_of_the_closed_list_When_its_page_is_read_Then_it_says_what_it_means(string code)
    {
        var answer = (await fixture.Client.FetchAsync($"/problems/{code}")).MustBe(200);

        var info = ErrorCodes.All.Values.Single(e => e.Name == code);
        Assert.Contains(code, answer.Text, StringComparison.Ordinal);
        Assert.Contains($"{info.Status}", answer.Text, StringComparison.Ordinal);
        Assert.Contains(info.Title, System.Net.WebUtility.HtmlDecode(answer.Text), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_the_closed_list_When_its_page_is_read_Then_all_codes_are_linked()
    {
        var page = (await fixture.Client.FetchAsync("/problems")).MustBe(200).Text;

        Assert.All(ErrorCodes.All.Values, e => Assert.Contains($"/problems/{e.Name}", page, StringComparison.Ordinal));
    }

    [Fact]
    public void Given_the_contract_When_compared_Then_the_list_is_that_of_its_section_3_9()
    {
        const string Contract = """
            400 invalid_json invalid_request invalid_tensor invalid_cursor invalid_idempotency_key
            401 unauthorized
            403 forbidden
            404 job_not_found model_not_found not_found
            405 method_not_allowed
            406 not_acceptable
            409 job_not_finished job_not_cancelable no_result idempotency_in_progress plan_changed conflict
            410 result_expired input_expired
            413 payload_too_large
            415 unsupported_media_type unsupported_encoding
            422 idempotency_key_reused
            429 rate_limited quota_exceeded
            500 internal
            501 not_implemented
            503 queue_full overloaded unavailable model_not_ready shutting_down
            504 deadline_exceeded
            """;

        var codes = Contract.Split('\n').Select(line => line.Trim().Split(' '))
            .SelectMany(words => words.Skip(1).Select(code => $"{words[0]} {code}"));

        Assert.Equal(codes.Order(StringComparer.Ordinal), ErrorCodes.All.Values.Select(e => $"{e.Status} {e.Name}").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("nope")]
    [InlineData("%3Cscript%3E")]
    [InlineData("INTERNAL")]
    public async Task Given_a_code_that_is_none_When_its_page_is_read_Then_404(string code) =>
        (await fixture.Client.FetchAsync($"/problems/{code}")).MustBe(404, "not_found");
}
