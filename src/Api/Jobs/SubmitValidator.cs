using FluentValidation;
using Millrace.Api.Errors;

namespace Millrace.Api.Jobs;

/// <summary>The ranges of a submission's members; names in its failures are JSON Pointers.</summary>
internal sealed class SubmitValidator : AbstractValidator<SubmitRequest>
{
    public SubmitValidator(TimeProvider time)
    {
        RuleFor(r => r.Model).NotEmpty().WithMessage("is missing; name a model").OverridePropertyName("/model");
        RuleFor(r => r.Priority).InclusiveBetween(0, 9).WithMessage("must be from 1 (first) to 9 (last), or 0 for the default").OverridePropertyName("/priority");
        RuleFor(r => r.Timeout).Must(t => t is > 0 and <= 3600).WithMessage("must be more than 0 and at most 3600 seconds").OverridePropertyName("/timeout");
        RuleFor(r => r.ExpiresIn).InclusiveBetween(1, 604_800).WithMessage("must be from 1 to 604800 seconds").OverridePropertyName("/expires_in");
        RuleFor(r => r.MaxAttempts).InclusiveBetween(1, 10).WithMessage("must be from 1 to 10").OverridePropertyName("/max_attempts");
        RuleFor(r => r.ResultTtl).InclusiveBetween(60, 2_592_000).WithMessage("must be from 60 to 2592000 seconds").OverridePropertyName("/result_ttl");
        RuleFor(r => r.NotBefore).Must((r, start) => start < time.GetUtcNow().AddSeconds(r.ExpiresIn)).When(r => r.NotBefore is not null && r.ExpiresIn is >= 1 and <= 604_800)
            .WithMessage("must be before the job expires (expires_in)").OverridePropertyName("/not_before");
        RuleFor(r => r.Metadata).Must(m => m.Count <= 16).WithMessage("has more than 16 keys")
            .Must(m => m.Keys.All(k => k.Length is >= 1 and <= 40)).WithMessage("has a key that is empty or longer than 40 characters")
            .Must(m => m.Values.All(v => v.Length <= 500)).WithMessage("has a value longer than 500 characters")
            .Must(m => !m.Any(p => p.Key.Contains('\0') || p.Value.Contains('\0'))).WithMessage("has a NUL character").OverridePropertyName("/metadata");
    }

    public IReadOnlyList<FieldError> Check(SubmitRequest request, IReadOnlyList<FieldError> found)
    {
        var unread = found.Select(e => e.Pointer).ToHashSet(); // what could not be read has been said already
        var faults = Validate(request).Errors.Where(e => !unread.Contains(e.PropertyName));
        return [.. found, .. faults.Select(e => new FieldError(e.PropertyName, e.ErrorMessage))];
    }
}
