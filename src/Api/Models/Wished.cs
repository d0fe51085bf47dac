using Millrace.Storage.Announcements;
using Millrace.Storage.Models;

namespace Millrace.Api.Models;

/// <summary>Wishes for models that no live worker has: the worker that comes will make them true, so what it is going to have counts already.</summary>
internal static class Wished
{
    public static AnnouncedModel Apply(AnnouncedModel announced, IReadOnlyList<ModelWish> wishes)
    {
        if (!announced.IsRemembered || wishes.FirstOrDefault(w => w.Model == announced.Name) is not { } wish || wish.Revision <= announced.Wish)
            return announced;
        if (!wish.Loaded)
            return announced with { State = ModelState.Unavailable, Reason = ModelWish.UnloadedReason };
        return announced.Inputs.Count + announced.Outputs.Count == 0
            ? announced // it never loaded, so there is nothing to check requests by
            : announced with { State = ModelState.Ready, Reason = "" };
    }
}
